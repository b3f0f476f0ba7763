// Small things that all parts of the form use. The files of this folder are joined to one module, in the order that form.py names.

/** Make an element. Text is only ever set as text: nothing that a study or a worker wrote is read as HTML. */
function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "text") element.textContent = value;
    else if (name === "value" || name === "readOnly" || name === "disabled") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter(child => child !== null && child !== undefined));
  return element;
}

/** A number with its noun: 1 word, 2 words. */
function counted(n, noun) {
  return `${n.toLocaleString("en")} ${noun}${n === 1 ? "" : "s"}`;
}

/** A function that splits a text into words exactly as study.questionnaire.words does. */
function wordSplitter({ pause, none }) {
  const breaks = new RegExp(pause, "u");
  const makesAWord = new RegExp(`[^${none.map(category => `\\p{${category}}`).join("")}]`, "u");
  return text => text.split(breaks).filter(piece => makesAWord.test(piece));
}

/** Why a text cannot be kept, in words that follow "it contains"; null when it can. As study.questionnaire.cannot_be_kept. */
function cannotBeKept(text) {
  if (text.includes("\0")) return "an invisible character that cannot be kept (NUL, U+0000)";
  const half = /[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/.exec(text);
  if (!half) return null;
  return `half of a character (a lone surrogate, U+${half[0].charCodeAt(0).toString(16).toUpperCase()})`;
}

/** What to do about an answer, in words that a person likes; null when it is fine. As study.questionnaire.Question.problem. */
function problemOf(question, answer, split) {
  if (answer === null || answer === undefined || answer === "") {
    if (!question.required) return null;
    return `${question.name}: please ${question.kind === "text" ? "write something" : "choose one"}.`;
  }
  if (question.kind !== "text") return null;
  const length = [...answer].length;
  if (length > question.max_length) {
    const [most, has] = [question.max_length, length].map(n => n.toLocaleString("en"));
    return `${question.name}: please shorten it to at most ${most} characters; it has ${has}.`;
  }
  const reason = cannotBeKept(answer);
  if (reason) return `${question.name}: it contains ${reason}. Please delete it and type the text again.`;
  const n = split(answer).length;
  if (question.required && !n) return `${question.name}: please write at least one word.`;
  if (question.max_words !== null && n > question.max_words) {
    return `${question.name}: please use at most ${counted(question.max_words, "word")}; it has ${n}.`;
  }
  return null;
}

/** A text of the study as paragraphs; an empty line parts them. */
function paragraphs(text) {
  return text.split(/\n\n+/).filter(part => part.trim()).map(part => make("p", { text: part.trim() }));
}
