// The form: one task on the screen, what is typed into it, and the way to the server and back.

const DRAFT_PAUSE = 1500, DRAFT_LATEST = 8000, LIFE_EVERY = 30000, TRY_AGAIN = 4000;

class Form {
  constructor(root) {
    this.end = new AbortController();
    this.post = new Post(state => this.showState(state));
    this.title = make("h1", { tabindex: "-1" });
    this.facts = make("p", { class: "facts" });
    this.status = make("p", { class: "status", role: "status" });
    this.spoken = make("p", { class: "unseen", "aria-live": "polite" });
    this.pictureSide = make("div", { class: "side" });
    this.formSide = make("div", { class: "ask-side" });
    this.stop = button("Stop for now", () => this.askToStop(), "quiet");
    this.help = button("Instructions", () => this.open(instructionsDialog(this.data)), "quiet");
    this.element = make("div", { class: "task" },
      make("header", {}, this.title, this.facts, make("div", { class: "tools" }, this.help, this.stop)),
      make("div", { class: "sides" }, this.pictureSide, this.formSide), this.spoken);
    root.append(this.element);
    this.guard = new Guard(this.element);
    this.listen();
  }

  listen() {
    const { signal } = this.end;
    const on = (target, names, act) => names.forEach(name => target.addEventListener(name, act, { signal, passive: true }));
    on(window, ["online"], () => this.post.hurry());
    on(window, ["pointerdown", "pointermove", "keydown", "wheel", "touchmove", "scroll"], () => { this.alive = true; });
    on(window, ["pointerdown", "keydown", "touchstart"], event => { this.touched ||= event.isTrusted; });
    on(document, ["visibilitychange"], () => document.hidden && this.sendDraft());
    document.addEventListener("keydown", event => this.key(event), { signal });
    // Streamlit listens to single letters; here they are text.
    this.element.addEventListener("keydown", event => event.key.length === 1 && !event.ctrlKey && !event.metaKey && this.key(event, true), { signal });
    this.pulse = setInterval(() => this.showLife(), LIFE_EVERY);
    // Streamlit speaks to programmers when the connection is lost, and takes the focus. This page says it in its own words.
    this.silencer = new MutationObserver(() => {
      const box = document.querySelector('[data-testid="stDialog"]');
      if (!box || !/connection/i.test(box.textContent)) return;
      box.querySelector('button[aria-label="Close"]')?.click();
      this.showState("waiting");
    });
    this.silencer.observe(document.body, { childList: true, subtree: false });
  }

  close() {
    this.end.abort();
    this.guard.close();
    this.silencer.disconnect();
    clearInterval(this.pulse);
    [this.post.timer, this.draftTimer, this.againTimer].forEach(clearTimeout);
  }

  /** The server has spoken: another task perhaps, receipts, how far the worker is. */
  update({ data, setTriggerValue }) {
    this.post.deliver = message => setTriggerValue("message", message);
    this.data = data;
    this.drafts ??= new Drafts(data.storage);
    this.title.textContent = data.title;
    this.facts.replaceChildren(...data.progress.map(text => make("span", { text })));
    if (data.view !== this.view) this.show();
    else if (this.back) this.back.hidden = !data.earlier;
    if (this.state === "waiting") this.post.hurry();
    this.post.receive(data.receipts);
  }

  show() {
    const first = this.view === undefined;
    const { data } = this;
    [this.draftTimer, this.againTimer].forEach(clearTimeout);
    this.draftTimer = null;
    Object.assign(this, { view: data.view, busy: false, item: data.item });
    const split = wordSplitter(data.words);
    this.pictures = new Pictures(data.sections, data.trouble);
    this.pictureSide.replaceChildren(this.pictures.element);
    this.fields = data.questions.map((question, place) => new QuestionField(question, place + 1, split, () => this.typed()));
    this.banner = make("div", { class: "banner", role: "alert" });
    this.formSide.replaceChildren(...this.above(), ...this.fields.map(field => field.element), this.banner, this.actions(), this.status);
    this.fill();
    this.stop.hidden = data.mode === "preview";
    this.status.textContent = "";
    this.element.scrollIntoView({ block: "start" });
    // On a phone the keyboard would cover the pictures.
    if (matchMedia("(hover: hover) and (pointer: fine)").matches && ["answer", "edit"].includes(data.mode)) this.fields[0].focus({ preventScroll: true });
    else if (!first) (this.primary ?? this.title).focus({ preventScroll: true });
    if (!first) this.spoken.textContent = data.title;
  }

  above() {
    const { mode, practice, notice, feedback } = this.data;
    const box = (kind, ...children) => make("div", { class: `note ${kind}` }, ...children);
    if (feedback) {
      const kind = { true: "fine", false: "warn" }[feedback.passed] ?? "";
      return [box(kind, make("h2", { text: feedback.heading }), ...paragraphs(feedback.text))];
    }
    if (mode === "preview") return [box("", make("p", { text: "This is a preview. Accept the task on the page around it to take part." }))];
    if (mode === "edit") return [box("", make("p", { text: "You sent this before. Change what you like; what is not saved here stays as it was." }))];
    const found = [];
    if (practice) found.push(box("", make("p", { text: "This one is for practice: afterwards you will see what we were looking for." })));
    if (notice) found.push(box("strong", ...paragraphs(notice)));
    return found;
  }

  actions() {
    const { mode, earlier } = this.data;
    this.primary = this.back = null;
    if (mode === "preview") return make("div");
    const rows = [];
    if (mode === "feedback") {
      this.primary = button("Go on", () => this.go("next"), "main wide");
    } else {
      this.primary = button(this.sendWords(), () => this.submit(), "main wide");
      this.primary.append(make("kbd", { text: "Ctrl+Enter", "aria-hidden": "true" }));
      this.primary.setAttribute("aria-keyshortcuts", "Control+Enter");
    }
    this.back = button("← Previous answer", () => this.go("back"), "quiet");
    this.back.hidden = !earlier;
    if (mode === "edit") rows.push(button("Back to the current task", () => this.go("next"), "quiet"));
    rows.push(this.back);
    if (mode === "answer") {
      rows.push(button("Skip this task", () => this.askToSkip(), "quiet"));
      rows.push(button("Report a problem", () => this.open(reportDialog(text => this.report(text))), "quiet"));
    }
    return make("div", { class: "send" }, this.primary, make("div", { class: "more" }, ...rows));
  }

  sendWords() {
    return this.data.mode === "edit" ? "Save changes" : "Send answer";
  }

  /** Fill in what was typed before: on this device if the server does not have it yet, else what the server has. */
  fill() {
    const { mode, answers } = this.data;
    const local = mode === "answer" || mode === "edit" ? this.drafts.get(this.view) : null;
    const mine = local && !local.sent;
    const found = mine ? local.answers : Object.keys(answers).length ? answers : local?.answers ?? {};
    this.fields.forEach(field => { field.answer = found[field.question.id] ?? null; });
    if (mode === "feedback" || mode === "preview") this.fields.forEach(field => field.lock(true));
    if (mine && mode === "answer") this.sendDraft();
  }

  get answers() {
    return Object.fromEntries(this.fields.map(field => [field.question.id, field.answer]));
  }

  // --- drafts and signs of life

  typed() {
    this.alive = true;
    this.drafts.put(this.view, this.answers, false);
    if (this.state !== "waiting") this.status.textContent = "";
    clearTimeout(this.draftTimer);
    const now = Date.now();
    this.unsentSince ??= now;
    this.draftTimer = setTimeout(() => this.sendDraft(), now - this.unsentSince > DRAFT_LATEST ? 0 : DRAFT_PAUSE);
  }

  async sendDraft() {
    clearTimeout(this.draftTimer);
    this.unsentSince = null;
    const { view, item, answers } = this;
    if (this.data.mode !== "answer" || this.busy || this.drafts.get(view)?.sent !== false) return;
    if (Object.values(answers).some(answer => typeof answer === "string" && (answer.length > this.data.max_length || cannotBeKept(answer)))) return;
    this.alive = false;
    const receipt = await this.post.send("draft", { item, answers });
    if (!receipt) return;
    if (receipt.ok && this.drafts.get(view) && JSON.stringify(this.drafts.get(view).answers) === JSON.stringify(answers)) {
      this.drafts.put(view, answers, true);
      if (view === this.view && !this.busy) this.status.textContent = "Draft saved.";
    } else if (receipt.gone) {
      this.drafts.drop(view);
      this.tell(receipt.text);
    } else if (receipt.again && view === this.view) {
      this.status.textContent = `${receipt.text} Your draft is kept on this device.`;
    }
  }

  showLife() {
    if (!this.alive || document.hidden || this.data.mode !== "answer" || this.post.flying) return;
    this.alive = false;
    this.post.send("active", { item: this.item });
  }

  showState(state) {
    const before = this.state;
    this.state = state;
    if (!this.fields) return;
    this.element.classList.toggle("waiting", state === "waiting");
    if (state === "waiting") {
      const what = this.busy ? "Not saved yet" : "No connection";
      this.status.textContent = `${what}, trying again … What you typed stays here and on this device.`;
    } else if (state === "idle" && before === "waiting") {
      this.status.textContent = "The connection is back.";
    }
  }

  // --- sending

  async submit() {
    if (this.busy || !["answer", "edit"].includes(this.data.mode)) return;
    clearTimeout(this.againTimer);
    const wrong = this.fields.filter(field => !field.check());
    if (wrong.length) {
      this.warn(wrong.length === 1 ? "One answer needs another look." : `${wrong.length} answers need another look.`);
      wrong[0].focus();
      return;
    }
    const { view, item, answers } = this;
    this.setBusy(true);
    this.banner.classList.add("past"); // its place stays: nothing moves under the pointer
    ["draft", "active"].forEach(kind => this.post.forget(kind, item));
    const receipt = await this.post.send(this.data.mode === "edit" ? "edit" : "submit", { item, token: this.data.token, answers, signs: this.signs() });
    if (receipt.ok || receipt.gone) this.drafts.drop(view);
    if (receipt.ok) {
      this.tell(receipt.text);
      this.spoken.textContent = `Saved. ${this.data.title}`;
      if (view !== this.view) this.status.textContent = "Your answer is saved.";
    }
    if (view !== this.view) {
      if (!receipt.ok) this.tell(receipt.text);
      return;
    }
    this.setBusy(false);
    if (receipt.ok) return;
    this.fields.forEach(field => receipt.problems?.[field.question.id] && field.complain(receipt.problems[field.question.id]));
    this.fields.find(field => receipt.problems?.[field.question.id])?.focus();
    if (receipt.again) {
      this.warn(`Not saved yet. ${receipt.text} Your answer stays here; trying again in a few seconds …`);
      this.againTimer = setTimeout(() => view === this.view && this.submit(), TRY_AGAIN);
    } else {
      this.warn(receipt.text || Object.values(receipt.problems ?? {}).join(" "));
    }
  }

  /** What the page knows about who fills it in; see study/store/rules.py. */
  signs() {
    return { webdriver: navigator.webdriver === true, untouched: !this.touched };
  }

  setBusy(busy) {
    this.busy = busy;
    this.fields.forEach(field => field.lock(busy));
    this.primary.disabled = busy;
    this.primary.firstChild.textContent = busy ? "Sending …" : this.sendWords();
    this.status.textContent = "";
  }

  /** Somewhere else: the next task, an earlier answer, the end. What is typed here comes along as a draft. */
  async go(kind, body = {}) {
    if (this.busy) return;
    this.sendDraft();
    const receipt = await this.post.send(kind, { item: this.item, ...body });
    if (receipt && !receipt.ok) this.warn(receipt.text);
    else this.tell(receipt?.text);
  }

  async report(text) {
    const receipt = await this.post.send("report", { item: this.item, text });
    if (!receipt.ok) return receipt.text || "The report could not be sent. Please try again.";
    this.tell(receipt.text);
    return null;
  }

  askToSkip() {
    const text = "You will not get this task again, and it is not paid. Someone else will answer it.";
    this.open(confirmDialog("Skip this task?", text, "Skip it", () => { this.drafts.drop(this.view); this.go("skip"); }));
  }

  askToStop() {
    const text = "Everything that you sent is saved. What you have typed here is kept as a draft, and you can come back later with the same link, on any device.";
    this.open(confirmDialog("Stop for now?", text, "Stop for now", () => this.go("stop")));
  }

  open(dialog) {
    this.element.append(dialog);
    dialog.showModal();
  }

  tell(text) {
    if (!text) return;
    this.banner.className = "banner info";
    this.banner.textContent = text;
  }

  warn(text) {
    this.banner.className = "banner bad";
    this.banner.textContent = text;
  }

  key(event, inside = false) {
    if (inside) event.stopPropagation();
    if (this.element.querySelector("dialog[open]:not(.large)")) return;
    if (!inside && event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      if (event.repeat || !this.primary || !this.guard.stands(this.primary)) return;
      if (this.data.mode === "feedback") this.go("next");
      else this.submit();
    }
    const typing = event.composedPath()[0]?.matches?.("textarea, input[type=text]");
    if ((event.key === "h" || event.key === "H") && !typing && !event.ctrlKey && !event.metaKey) this.pictures.setHeat(!this.pictures.heat);
  }
}

export default function (component) {
  const root = component.parentElement;
  root.form ??= new Form(root);
  root.form.update(component);
  return () => {
    root.form.close();
    root.form.element.remove();
    root.form = undefined;
  };
}
