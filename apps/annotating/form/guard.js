// What has just moved or appeared takes no click and no key: the second click of an impatient hand was meant for what stood there before.

const MOMENT = 450; // milliseconds; a double click takes up to 500, most of them under 250
const NEAR = 3; // pixels; a shift of fewer leaves the pointer on what it was aimed at
const TARGETS = "button, a[href], label.option, input, textarea, summary";

class Guard {
  /** Watch everything that can be pressed within an element. */
  constructor(root) {
    this.root = root;
    this.known = new Map(); // target → where it stands, and what it says
    this.timers = new Map(); // target → the end of its moment
    this.end = new AbortController();
    root.addEventListener("keydown", event => this.key(event), { capture: true, signal: this.end.signal });
    this.changes = new MutationObserver(() => this.look());
    this.changes.observe(root, { subtree: true, childList: true, characterData: true, attributes: true, attributeFilter: ["class", "hidden", "style", "open"] });
    this.sizes = new ResizeObserver(() => this.look());
    this.sizes.observe(document.documentElement);
    this.sizes.observe(root);
    this.look();
  }

  /** Compare what stands where with a moment ago. */
  look() {
    const scrolled = this.scrolled();
    const found = new Map();
    for (const target of this.root.querySelectorAll(TARGETS)) {
      const { left, top, right, bottom } = target.getBoundingClientRect();
      if (right === left) continue; // hidden: it appears anew
      const now = { edges: [left, top + scrolled, right, bottom + scrolled], text: target.textContent };
      const before = this.known.get(target);
      if (!before || before.text !== now.text || now.edges.some((edge, n) => Math.abs(edge - before.edges[n]) > NEAR)) this.hold(target);
      found.set(target, now);
    }
    this.known = found;
  }

  /** The page itself has scrolled: everything stands somewhere else on the screen. */
  moved() {
    this.look();
    this.known.forEach((_, target) => this.hold(target));
  }

  hold(target) {
    clearTimeout(this.timers.get(target));
    target.setAttribute("data-moved", "");
    this.timers.set(target, setTimeout(() => {
      target.removeAttribute("data-moved");
      this.timers.delete(target);
    }, MOMENT));
  }

  /** Whether it has stood where it stands for a moment. */
  stands(target) {
    return !target.closest("[data-moved]");
  }

  /** Enter and Space press a button; held down, or within a moment of its coming, they do not. Typing is never held up. */
  key(event) {
    if (event.key !== "Enter" && event.key !== " ") return;
    const target = event.composedPath()[0];
    if (!target.matches?.("button, a[href], summary") || (!event.repeat && this.stands(target))) return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** How far everything around has been scrolled: a hand that scrolls sees what it does, and what it scrolls does not move by itself. */
  scrolled() {
    let sum = 0;
    for (let place = this.root; place; place = place.parentElement ?? place.getRootNode().host) sum += place.scrollTop;
    return sum;
  }

  close() {
    this.end.abort();
    this.changes.disconnect();
    this.sizes.disconnect();
    this.timers.forEach(clearTimeout);
  }
}
