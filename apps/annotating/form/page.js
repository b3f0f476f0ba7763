// What is around the form: the page's language, its own link, where the focus goes, and what the buttons outside the form take.

const FOCUS_PATIENCE = 3000;

class Around {
  constructor() {
    this.guard = new Guard(document.querySelector(".stApp"));
  }

  update({ page, language, direction, link }) {
    Object.assign(document.documentElement, { lang: language, dir: direction });
    this.keepLink(link);
    if (this.page !== undefined && page !== this.page) this.focus(this.heading);
    this.page = page;
    this.heading = document.querySelector(".bw-text h1");
  }

  /** The address in the browser becomes the visitor's own, also after Back, without a further step that Back would have to take. */
  keepLink(link) {
    const address = new URL(location.href);
    const lacks = Object.entries(link).filter(([name, value]) => address.searchParams.get(name) !== value);
    if (!lacks.length) return;
    lacks.forEach(([name, value]) => address.searchParams.set(name, value));
    history.replaceState(history.state, "", address);
  }

  /** To the heading of the page that comes; the button that was pressed has gone. The form looks after itself. */
  focus(before, since = performance.now()) {
    const heading = document.querySelector(".bw-text h1");
    if (heading && heading !== before) {
      heading.tabIndex = -1;
      heading.focus();
      heading.scrollIntoView({ block: "nearest" });
      this.heading = heading;
    } else if (performance.now() - since < FOCUS_PATIENCE && this.page !== "task") {
      requestAnimationFrame(() => this.focus(before, since));
    }
  }

  close() {
    this.guard.close();
  }
}

export default function ({ data, parentElement }) {
  parentElement.around ??= new Around();
  parentElement.around.update(data);
  return () => {
    parentElement.around.close();
    parentElement.around = undefined;
  };
}
