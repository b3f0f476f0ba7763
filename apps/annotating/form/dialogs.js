// What opens over the task: the instructions again, a report, and the question whether to skip or to stop.

function dialogWith(title, content, actions) {
  const dialog = make("dialog", { class: "box", "aria-label": title }, make("h2", { text: title }), ...content, make("div", { class: "actions" }, ...actions));
  dialog.addEventListener("click", event => event.target === dialog && dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  return dialog;
}

function button(text, onclick, kind = "") {
  return make("button", { type: "button", class: kind, text, onclick });
}

function instructionsDialog({ instructions, examples, contact }) {
  const content = [...instructions.flatMap(paragraphs), ...examples.map(exampleCard)];
  if (contact) content.push(make("p", { class: "help", text: contact }));
  const dialog = dialogWith(say("form.instructions"), content, [button(say("form.close"), () => dialog.close(), "main")]);
  return dialog;
}

function exampleCard({ shows, good, poor, why }) {
  const row = (name, text, kind) => text && make("p", { class: kind }, make("b", { text: name }), make("span", { dir: "auto", text }));
  return make("div", { class: "example" }, row(say("example.shows"), shows, "shows"), row(say("example.good"), good, "good"), row(say("example.poor"), poor, "poor"), row(say("example.why"), why, "why"));
}

/** Ask for a report; `send(text)` resolves with what to say, or with null when it could not be sent. */
function reportDialog(send) {
  const text = make("textarea", { rows: "4", id: "report", dir: "auto", "aria-label": say("form.report_label") });
  const problem = make("p", { class: "problem", role: "alert" });
  const sendIt = async () => {
    if (!text.value.trim()) {
      problem.textContent = say("form.report_empty");
      text.focus();
      return;
    }
    go.disabled = true;
    const failed = await send(text.value);
    go.disabled = false;
    if (failed) problem.textContent = failed;
    else dialog.close();
  };
  const go = button(say("form.report_send"), sendIt, "main");
  const dialog = dialogWith(say("form.report"), [
    make("p", { text: say("form.report_text") }),
    text, problem,
  ], [go, button(say("form.cancel"), () => dialog.close())]);
  return dialog;
}

function confirmDialog(title, text, yes, act) {
  const dialog = dialogWith(title, paragraphs(text), [
    button(yes, () => { dialog.close(); act(); }, "main"),
    button(say("form.cancel"), () => dialog.close()),
  ]);
  return dialog;
}
