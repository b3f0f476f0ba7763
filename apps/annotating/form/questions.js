// The questions. Each knows its answer, counts its words as one types, and says what it still needs.

class QuestionField {
  /** `onInput` hears of every change, `onNext` of the wish to go on to the next field. */
  constructor(question, number, split, onInput, onNext) {
    this.question = question;
    this.split = split;
    Object.assign(this, { onInput, onNext });
    this.id = `q-${question.id}`;
    this.problem = make("p", { class: "problem", id: `${this.id}-problem`, role: "alert" });
    const help = question.help ? make("p", { class: "help", id: `${this.id}-help`, dir: "auto", text: question.help }) : null;
    const label = [make("b", { class: "number", text: String(number), "aria-hidden": "true" }), make("span", { dir: "auto", text: question.text })];
    this.describedBy = [help && help.id, this.problem.id].filter(Boolean).join(" ");
    if (question.kind === "text") {
      this.element = make("div", { class: "question" }, make("label", { class: "ask", for: this.id }, ...label), help, this.text(), this.problem);
    } else {
      const options = make("div", { class: question.kind === "scale" ? "scale" : "choice", style: `--n:${question.options.length}` }, ...this.options());
      this.element = make("fieldset", { class: "question", "aria-describedby": this.describedBy, onkeydown: event => this.pick(event) },
        make("legend", { class: "ask" }, ...label), help, options, this.ends(), this.problem);
    }
  }

  text() {
    const { max_words: most, max_length: length } = this.question;
    const small = most !== null && most <= 5;
    this.input = make(small ? "input" : "textarea", {
      id: this.id, dir: "auto", type: small ? "text" : null, rows: small ? null : "2", autocomplete: "off", autocapitalize: "off", enterkeyhint: "next",
      "aria-describedby": `${this.describedBy} ${this.id}-count`, "aria-required": String(this.question.required), oninput: () => this.changed(),
      onkeydown: event => this.enter(event, small),
    });
    this.counter = make("span", { class: "count", id: `${this.id}-count` });
    this.spoken = make("span", { class: "unseen", "aria-live": "polite" });
    this.unit = most === null ? { most: length, key: "form.characters", of: text => [...text].length } : { most, key: "form.words", of: text => this.split(text).length };
    return make("div", { class: "field" }, this.input, this.counter, this.spoken);
  }

  /** Enter goes on to the next field, as the keyboard of a phone says; in a larger field of a real keyboard it begins a new line. */
  enter(event, small) {
    if (event.key !== "Enter" || event.isComposing || event.shiftKey || event.ctrlKey || event.metaKey) return;
    if (!small && matchMedia("(pointer: fine)").matches) return;
    event.preventDefault();
    if (!event.repeat) this.onNext(this);
  }

  options() {
    const last = this.question.options.length - 1;
    return this.question.options.map(([value, name], place) => {
      const end = { 0: this.question.low_label && `${this.id}-low`, [last]: this.question.high_label && `${this.id}-high` }[place];
      const input = make("input", {
        type: "radio", name: this.id, id: `${this.id}-${place}`, value: String(value), onchange: () => this.changed(),
        "aria-labelledby": end && `${this.id}-${place}-name ${end}`,
      });
      const key = this.question.kind === "choice" ? make("kbd", { text: String(place + 1), "aria-hidden": "true" }) : null;
      return make("label", { class: "option", for: input.id }, input, make("span", { id: `${input.id}-name`, dir: "auto", text: name }), key);
    });
  }

  ends() {
    const { low_label: low, high_label: high } = this.question;
    if (!low && !high) return null;
    return make("p", { class: "ends" }, make("span", { id: `${this.id}-low`, dir: "auto", text: low ?? "" }), make("span", { id: `${this.id}-high`, dir: "auto", text: high ?? "" }));
  }

  /** Number keys: the value of a scale, the place in a choice. */
  pick(event) {
    if (!/^[0-9]$/.test(event.key) || event.ctrlKey || event.metaKey || event.altKey) return;
    const radios = this.radios();
    const wanted = this.question.kind === "scale" ? radios.find(radio => radio.value === event.key) : radios[Number(event.key) - 1];
    if (!wanted || wanted.disabled) return;
    event.preventDefault();
    wanted.focus();
    wanted.checked = true;
    this.changed();
  }

  radios() {
    return [...this.element.querySelectorAll("input[type=radio]")];
  }

  changed() {
    this.count();
    if (this.problem.textContent) this.check();
    this.onInput();
  }

  count() {
    if (!this.input) return;
    const { most, key, of } = this.unit;
    const n = of(this.input.value);
    const words = say(key, { n: most, has: n });
    this.counter.textContent = words;
    this.counter.classList.toggle("over", n > most);
    clearTimeout(this.speaking);
    this.speaking = setTimeout(() => { this.spoken.textContent = n ? words : ""; }, 1200);
  }

  get answer() {
    if (this.input) return this.input.value;
    const value = this.radios().find(radio => radio.checked)?.value;
    if (value === undefined) return null;
    return this.question.kind === "scale" ? Number(value) : value;
  }

  set answer(value) {
    if (this.input) this.input.value = typeof value === "string" ? value : "";
    else this.radios().forEach(radio => { radio.checked = value !== null && value !== undefined && radio.value === String(value); });
    this.count();
  }

  /** Show what is wrong, if anything; true when all is well. */
  check() {
    return this.complain(problemOf(this.question, this.answer, this.split));
  }

  complain(problem) {
    if (!problem && this.problem.textContent) this.problem.style.minHeight = `${this.problem.offsetHeight}px`; // what stands below stays there
    if (this.problem.textContent !== (problem ?? "")) this.problem.textContent = problem ?? "";
    this.element.classList.toggle("wrong", Boolean(problem));
    const target = this.input ?? this.element;
    if (problem) target.setAttribute("aria-invalid", "true");
    else target.removeAttribute("aria-invalid");
    return !problem;
  }

  focus(options) {
    const radios = this.input ? [] : this.radios();
    (this.input ?? radios.find(radio => radio.checked) ?? radios[0]).focus(options);
  }

  lock(locked) {
    if (this.input) this.input.readOnly = locked;
    else this.radios().forEach(radio => { radio.disabled = locked; });
  }
}
