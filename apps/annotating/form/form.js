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
    this.stop = button("", () => this.askToStop(), "quiet");
    this.help = button("", () => this.open(instructionsDialog(this.data)), "quiet");
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
    this.element.addEventListener("keydown", event => event.key.length === 1 && !event.ctrlKey && !event.metaKey && event.stopPropagation(), { signal });
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
    this.tabs?.close();
    this.silencer.disconnect();
    clearInterval(this.pulse);
    [this.post.timer, this.draftTimer, this.againTimer].forEach(clearTimeout);
  }

  /** The server has spoken: another task perhaps, receipts, how far the worker is. */
  update({ data, setTriggerValue }) {
    this.post.deliver = message => setTriggerValue("message", message);
    this.data = data;
    speak(data);
    this.element.dir = data.direction;
    this.element.lang = data.language;
    this.stop.textContent = say("form.stop");
    this.help.textContent = say("form.instructions");
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
    const before = first ? null : { view: this.view, mode: this.mode, item: this.item, answers: this.answers };
    [this.draftTimer, this.againTimer].forEach(clearTimeout);
    this.draftTimer = null;
    Object.assign(this, { view: data.view, mode: data.mode, busy: false, item: data.item });
    const split = wordSplitter(data.words);
    this.pictures = new Pictures(data.sections, data.trouble);
    // Of a study about core and spurious features: pictures of the main object above, or further pictures below.
    const others = place => (data[place] ?? []).map(sections => new Pictures(sections, "", sections[0].title).element);
    this.pictureSide.replaceChildren(...others("before"), this.pictures.element, ...others("after"));
    this.fields = data.questions.map((question, place) => new QuestionField(question, place + 1, split, () => this.typed(), field => this.next(field)));
    this.banner = make("div", { class: "banner", role: "alert" });
    const [above, questions, actions] = [this.above(), this.fields.map(field => field.element), this.actions()];
    // What somebody has to read now, and the way on, come before what they know already.
    const order = data.mode === "feedback" ? [...above, this.banner, actions, this.status, ...questions] : [...above, ...questions, this.banner, actions, this.status];
    this.formSide.replaceChildren(...order);
    this.carryOver(before);
    this.fill();
    this.listenToTabs();
    this.stop.hidden = data.mode === "preview";
    this.status.textContent = "";
    this.bring(first);
  }

  /** Show the beginning of what has come, and put the focus where one goes on. */
  bring(first) {
    const { mode, title, feedback } = this.data;
    const quiet = { preventScroll: true };
    const start = mode === "feedback" && !this.isBeside() ? this.formSide : this.element;
    start.scrollIntoView({ block: "start" });
    this.guard.moved();
    // On a phone the keyboard would cover the pictures.
    if (matchMedia("(hover: hover) and (pointer: fine)").matches && ["answer", "edit"].includes(mode)) this.fields[0].focus(quiet);
    else if (!first || document.activeElement === document.body) (mode === "feedback" ? this.primary : this.title).focus(quiet);
    if (!first) this.spoken.textContent = feedback ? `${feedback.heading} ${feedback.text}` : title;
  }

  /** Whether the questions stand beside the pictures, and not below them. */
  isBeside() {
    return this.formSide.offsetTop < this.pictureSide.offsetTop + this.pictureSide.offsetHeight;
  }

  /** Somebody answered this task in another tab: what was typed here becomes a change of that answer, which is not made yet. */
  carryOver(before) {
    if (before?.mode !== "answer" || this.mode !== "edit" || before.item !== this.item) return;
    this.drafts.drop(before.view);
    this.drafts.put(this.view, before.answers, false);
  }

  /** Tabs of the same browser tell each other which task they show: two that fill in the same one should know. */
  listenToTabs() {
    this.tabs?.close();
    if (this.mode !== "answer" || !window.BroadcastChannel) return;
    this.tabs = new BroadcastChannel(`${this.drafts.prefix} ${this.view}`);
    this.tabs.onmessage = ({ data }) => {
      if (data === "opened") this.tabs.postMessage("here");
      this.tell(say("form.other_tab"));
    };
    this.tabs.postMessage("opened");
  }

  above() {
    const { mode, practice, notice, feedback } = this.data;
    const box = (kind, ...children) => make("div", { class: `note ${kind}`, id: "note" }, ...children);
    if (feedback) {
      const kind = { true: "fine", false: "warn" }[feedback.passed] ?? "";
      return [box(kind, make("h2", { text: feedback.heading }), ...paragraphs(feedback.text))];
    }
    if (mode === "preview") return [box("", make("p", { text: say("form.preview") }))];
    if (mode === "edit") return [notice ? box("strong", ...paragraphs(notice)) : box("", make("p", { text: say("form.edit") }))];
    const found = [];
    if (practice) found.push(box("", make("p", { text: say("form.practice") })));
    if (notice) found.push(box("strong", ...paragraphs(notice)));
    return found;
  }

  actions() {
    const { mode, earlier } = this.data;
    this.primary = this.back = null;
    if (mode === "preview") return make("div");
    const rows = [];
    if (mode === "feedback") {
      this.primary = button(say("form.go_on"), () => this.go("next"), "main wide");
      this.primary.setAttribute("aria-describedby", "note");
    } else {
      this.primary = button(this.sendWords(), () => this.submit(), "main wide");
      this.primary.append(make("kbd", { text: say("form.send_key"), "aria-hidden": "true" }));
      this.primary.setAttribute("aria-keyshortcuts", "Control+Enter");
    }
    this.back = button(say("form.back"), () => this.go("back"), "quiet");
    this.back.hidden = !earlier;
    if (mode === "edit") rows.push(button(say("form.current"), () => this.go("next"), "quiet"));
    rows.push(this.back);
    if (mode === "answer") {
      rows.push(button(say("form.skip"), () => this.askToSkip(), "quiet"));
      rows.push(button(say("form.report"), () => this.open(reportDialog(text => this.report(text))), "quiet"));
    }
    return make("div", { class: "send" }, this.primary, make("div", { class: "more" }, ...rows));
  }

  sendWords() {
    return say(this.data.mode === "edit" ? "form.save" : "form.send");
  }

  /** To the field after one; after the last, to the button. */
  next(field) {
    const after = this.fields[this.fields.indexOf(field) + 1];
    if (after) after.focus();
    else this.primary?.focus();
    (after?.element ?? this.primary)?.scrollIntoView({ block: "nearest" });
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
    if (Object.values(answers).some(answer => typeof answer === "string" && (answer.length > this.data.max_length || !canBeKept(answer)))) return;
    this.alive = false;
    const receipt = await this.post.send("draft", { item, answers });
    if (!receipt) return;
    if (receipt.ok && this.drafts.get(view) && JSON.stringify(this.drafts.get(view).answers) === JSON.stringify(answers)) {
      this.drafts.put(view, answers, true);
      if (view === this.view && !this.busy) this.status.textContent = say("form.draft_saved");
    } else if (receipt.gone) {
      if (!receipt.kept) this.drafts.drop(view);
      this.tell(receipt.kept ? "" : receipt.text);
    } else if (receipt.again && view === this.view) {
      this.status.textContent = say("form.draft_here", { why: receipt.text });
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
      this.status.textContent = say(this.busy ? "form.waiting" : "form.offline");
    } else if (state === "idle" && before === "waiting") {
      this.status.textContent = say("form.online");
    }
  }

  // --- sending

  async submit() {
    if (this.busy || !["answer", "edit"].includes(this.data.mode)) return;
    clearTimeout(this.againTimer);
    const wrong = this.fields.filter(field => !field.check());
    if (wrong.length) {
      this.warn(say("form.look", { n: wrong.length }));
      wrong[0].focus();
      return;
    }
    const { view, item, answers } = this;
    this.setBusy(true);
    this.banner.classList.add("past"); // its place stays: nothing moves under the pointer
    ["draft", "active"].forEach(kind => this.post.forget(kind, item));
    const receipt = await this.post.send(this.data.mode === "edit" ? "edit" : "submit", { item, token: this.data.token, answers, signs: this.signs() });
    if (receipt.ok || (receipt.gone && !receipt.kept)) this.drafts.drop(view);
    if (receipt.ok) {
      this.tell(receipt.text);
      this.spoken.textContent = say("form.saved_next", { title: this.data.title });
      if (view !== this.view) this.status.textContent = say("form.saved");
    }
    if (view !== this.view) {
      if (!receipt.ok && !receipt.kept) this.tell(receipt.text);
      return;
    }
    this.setBusy(false);
    if (receipt.ok) return;
    this.fields.forEach(field => receipt.problems?.[field.question.id] && field.complain(receipt.problems[field.question.id]));
    this.fields.find(field => receipt.problems?.[field.question.id])?.focus();
    if (receipt.again) {
      this.warn(say("form.not_saved", { why: receipt.text }));
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
    this.primary.firstChild.textContent = busy ? say("form.sending") : this.sendWords();
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
    if (!receipt.ok) return receipt.text || say("form.report_failed");
    this.tell(receipt.text);
    return null;
  }

  askToSkip() {
    this.open(confirmDialog(say("form.skip_title"), say("form.skip_text"), say("form.skip_yes"), () => { this.drafts.drop(this.view); this.go("skip"); }));
  }

  askToStop() {
    this.open(confirmDialog(say("form.stop_title"), say("form.stop_text"), say("form.stop"), () => this.go("stop")));
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

  key(event) {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || this.element.querySelector("dialog[open]:not(.large)")) return;
    event.preventDefault();
    if (event.repeat || !this.primary || !this.guard.stands(this.primary)) return;
    if (this.data.mode === "feedback") this.go("next");
    else this.submit();
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
