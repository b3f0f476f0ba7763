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

/** A text of the catalogue, filled in; set by `speak`. */
let say = key => key;

/** From now on `say` speaks a language: its plural forms, its numbers. */
function speak({ language, texts }) {
  const [plurals, numbers] = [new Intl.PluralRules(language), new Intl.NumberFormat(language)];
  say = (key, values = {}) => {
    const entry = texts[key];
    const text = typeof entry === "string" ? entry : entry[plurals.select(values.n)] ?? entry.other;
    return text.replace(/\{\{|\}\}|\{(\w+)\}/g, (brace, name) => {
      if (!name) return brace[0];
      return typeof values[name] === "number" ? numbers.format(values[name]) : values[name];
    });
  };
}

/** A function that splits a text into words exactly as study.questionnaire.words does. */
function wordSplitter({ pause, none }) {
  const breaks = new RegExp(pause, "u");
  const makesAWord = new RegExp(`[^${none.map(category => `\\p{${category}}`).join("")}]`, "u");
  return text => text.split(breaks).filter(piece => makesAWord.test(piece));
}

/** Half of a character, which the file of a study cannot hold; null where there is none. */
function halfOf(text) {
  return /[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/.exec(text)?.[0] ?? null;
}

function canBeKept(text) {
  return !text.includes("\0") && halfOf(text) === null;
}

/** What to do about an answer, in words that a person likes; null when it is fine. As study.questionnaire.Question.problem. */
function problemOf(question, answer, split) {
  const { name } = question;
  if (answer === null || answer === undefined || answer === "") {
    if (!question.required) return null;
    return say(question.kind === "text" ? "answer.write" : "answer.choose", { name });
  }
  if (question.kind !== "text") return null;
  const length = [...answer].length;
  if (length > question.max_length) return say("answer.shorten", { name, most: question.max_length, has: length });
  if (answer.includes("\0")) return say("answer.nul", { name });
  const half = halfOf(answer);
  if (half) return say("answer.surrogate", { name, code: `U+${half.charCodeAt(0).toString(16).toUpperCase()}` });
  const has = split(answer).length;
  if (question.required && !has) return say("answer.word", { name });
  if (question.max_words !== null && has > question.max_words) return say("answer.words", { name, n: question.max_words, has });
  return null;
}

/** A text of the study as paragraphs; an empty line parts them. */
function paragraphs(text) {
  return text.split(/\n\n+/).filter(part => part.trim()).map(part => make("p", { dir: "auto", text: part.trim() }));
}
