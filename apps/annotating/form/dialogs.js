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
  if (contact) content.push(make("p", { class: "help", text: `Questions? Write to ${contact}` }));
  const dialog = dialogWith("Instructions", content, [button("Close", () => dialog.close(), "main")]);
  return dialog;
}

function exampleCard({ shows, good, poor, why }) {
  const row = (name, text, kind) => text && make("p", { class: kind }, make("b", { text: name }), make("span", { text }));
  return make("div", { class: "example" }, row("Shown", shows, "shows"), row("Good", good, "good"), row("Not so good", poor, "poor"), row("Why", why, "why"));
}

/** Ask for a report; `send(text)` resolves with what to say, or with null when it could not be sent. */
function reportDialog(send) {
  const text = make("textarea", { rows: "4", id: "report", "aria-label": "What is wrong?" });
  const problem = make("p", { class: "problem", role: "alert" });
  const sendIt = async () => {
    if (!text.value.trim()) {
      problem.textContent = "Please write what is wrong.";
      text.focus();
      return;
    }
    go.disabled = true;
    const failed = await send(text.value);
    go.disabled = false;
    if (failed) problem.textContent = failed;
    else dialog.close();
  };
  const go = button("Send the report", sendIt, "main");
  const dialog = dialogWith("Report a problem", [
    make("p", { text: "What is wrong with this task? For example: a picture is missing, or it shows something that it should not." }),
    text, problem,
  ], [go, button("Cancel", () => dialog.close())]);
  return dialog;
}

function confirmDialog(title, text, yes, act) {
  const dialog = dialogWith(title, paragraphs(text), [
    button(yes, () => { dialog.close(); act(); }, "main"),
    button("Cancel", () => dialog.close()),
  ]);
  return dialog;
}
