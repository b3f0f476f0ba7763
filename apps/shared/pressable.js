// See pressable.py. Streamlit calls this at first and whenever the data changes.
export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".bw-pressable");
  if (root.shown !== data.body) {
    const focused = root.contains(document.activeElement) ? document.activeElement.dataset.press : null;
    root.innerHTML = data.body;
    root.shown = data.body;
    const again = [...root.querySelectorAll("[data-press]")].find((part) => part.dataset.press === focused);
    again?.focus({ preventScroll: true });
  }
  for (const area of root.querySelectorAll("[data-keys]")) {
    const parts = [...area.querySelectorAll("[data-press]")];
    const current = parts.find((part) => part === document.activeElement)
      ?? parts.find((part) => part.matches("[aria-selected=true], [aria-current=true]")) ?? parts[0];
    parts.forEach((part) => { part.tabIndex = part === current ? 0 : -1; });
  }

  const press = (part) => setTriggerValue("pressed", part.dataset.press);
  const move = (area, to) => {
    if (!to) return;
    area.querySelectorAll("[data-press]").forEach((part) => { part.tabIndex = part === to ? 0 : -1; });
    to.focus();
  };
  const level = (part) => Number(part.getAttribute("aria-level"));

  function inTree(key, parts, at) {
    const part = parts[at];
    if (key === "ArrowDown") return parts[at + 1];
    if (key === "ArrowUp") return parts[at - 1];
    if (key === "ArrowRight") return parts[at + 1] && level(parts[at + 1]) > level(part) ? parts[at + 1] : null;
    if (key === "ArrowLeft") return parts.slice(0, at).reverse().find((other) => level(other) < level(part));
    return null;
  }

  function inGrid(key, parts, at) {
    const top = (part) => Math.round(part.getBoundingClientRect().top);
    const columns = Math.max(1, parts.filter((part) => top(part) === top(parts[0])).length);
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[key];
    return step ? parts[at + step] : null;
  }

  root.onclick = (event) => {
    const part = event.target.closest("[data-press]");
    if (part && root.contains(part)) press(part);
  };
  root.onkeydown = (event) => {
    const part = event.target.closest("[data-press]");
    if (!part || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      press(part);
      return;
    }
    const area = part.closest("[data-keys]");
    if (!area) return;
    const parts = [...area.querySelectorAll("[data-press]")];
    const at = parts.indexOf(part);
    const to = event.key === "Home" ? parts[0] : event.key === "End" ? parts.at(-1)
      : (area.dataset.keys === "tree" ? inTree : inGrid)(event.key, parts, at);
    if (event.key.startsWith("Arrow") || event.key === "Home" || event.key === "End") {
      event.preventDefault();
      move(area, to);
    }
  };
  return () => { root.onclick = root.onkeydown = null; };
}
