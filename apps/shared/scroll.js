// Another page, item or worker begins at its head; the way back leads to where one was.
const PATIENCE = 2000; // ms, until the figures above that place are drawn

export default function ({ data }) {
  const main = page();
  if (!main) return;
  const known = (window.barlowScroll ??= watched());
  const { place, opened } = known;
  if (place === data.place) return;
  Object.assign(known, data);
  if (place === null) return;
  if (opened && !data.opened && known.left[data.place]) comeBack(main, known.left[data.place]);
  else main.scrollTo({ top: 0, behavior: "instant" });
}

const page = () => document.querySelector(".stMain");

function watched() {
  const known = { place: null, opened: false, left: {} };
  // Before the click is followed: what it opens is shorter, perhaps, and moves the page by itself.
  addEventListener("click", () => { known.left[known.place] = page()?.scrollTop; }, true);
  return known;
}

function comeBack(main, top) {
  const late = performance.now() + PATIENCE;
  let stopped = false;
  ["wheel", "touchmove", "keydown", "pointerdown"].forEach(kind => addEventListener(kind, () => { stopped = true; }, { once: true, passive: true }));
  const look = () => {
    if (stopped) return;
    main.scrollTo({ top, behavior: "instant" });
    if (Math.abs(main.scrollTop - top) > 1 && performance.now() < late) requestAnimationFrame(look);
  };
  look();
}
