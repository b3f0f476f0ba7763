// Sections of pictures, such as A, B and C: a column is one picture, on a phone a row. A picture opens large, beside its others.

const PLAIN = { B: "A", D: "C" }; // a section with highlights → that with the same pictures without

class Pictures {
  /** `name` is what the set is called for those who do not see it; a single section is a strip of small pictures. */
  constructor(sections, trouble, name = say("form.pictures")) {
    this.sections = sections;
    this.bright = sections.findIndex(({ letter }) => letter in PLAIN);
    this.plain = sections.find(({ letter }) => letter === PLAIN[sections[this.bright]?.letter]);
    this.count = sections[0]?.pictures.length ?? 0;
    this.heat = true;
    this.place = [0, 0]; // of the picture that Tab comes to: section, picture
    this.buttons = sections.map(() => []);
    this.element = make("div", { class: "pictures", role: "group", "aria-label": name, onkeydown: event => this.key(event) });
    if (trouble) this.element.append(make("p", { class: "note warn", role: "alert", text: trouble }));
    if (!this.count) {
      if (!trouble) this.element.append(make("p", { class: "note", text: say("form.no_pictures") }));
      return;
    }
    this.grid = make("div", { class: ["grid strip", "grid pair"][sections.length - 1] ?? "grid", style: `--n:${this.count};--s:${sections.length}`, onkeydown: event => this.walk(event) });
    sections.forEach((section, row) => {
      this.grid.append(this.heading(section));
      section.pictures.forEach((picture, column) => this.grid.append(this.button(picture, row, column)));
    });
    this.large = this.dialog();
    this.element.append(this.grid, this.large);
  }

  heading({ letter, title, note }) {
    const head = make("div", { class: "head" },
      make("h2", {}, letter ? make("b", { text: letter }) : null, make("span", { dir: "auto", text: title })),
      note ? make("p", { text: note }) : null);
    if (letter in PLAIN) {
      this.toggle = make("button", { type: "button", class: "quiet", "aria-pressed": "true", title: say("form.highlights_key"), onclick: () => this.setHeat(!this.heat), text: say("form.highlights") });
      head.append(this.toggle);
    }
    return head;
  }

  button(picture, row, column) {
    const button = make("button", {
      type: "button", class: "picture", tabindex: row + column ? "-1" : "0", "data-section": this.sections[row].letter,
      "aria-label": say("form.show_large", { picture: picture.alt }), onclick: () => this.open(row, column),
      onfocus: () => this.reach(row, column),
    }, this.image(picture));
    this.buttons[row].push(button);
    return button;
  }

  image(picture) {
    if (!picture.src) return make("span", { class: "missing", text: say("form.missing") });
    return make("img", { src: picture.src, alt: picture.alt, width: picture.width, height: picture.height, draggable: "false" });
  }

  reach(row, column) {
    this.buttons[this.place[0]][this.place[1]].tabIndex = -1;
    this.place = [row, column];
    this.buttons[row][column].tabIndex = 0;
  }

  /** H shows the pictures of section B (or D) with and without their highlights, while the focus is among the pictures. */
  key(event) {
    if (event.key.toLowerCase() === "h" && !event.ctrlKey && !event.metaKey && !event.altKey) this.setHeat(!this.heat);
  }

  /** One stop for Tab; the arrows walk through the pictures. */
  walk(event) {
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (!step || !event.target.matches(".picture")) return;
    const [row, column] = [this.place[0] + step[0], this.place[1] + step[1]];
    event.preventDefault();
    this.buttons[row]?.[column]?.focus();
  }

  setHeat(on) {
    if (!this.toggle) return;
    this.heat = on;
    this.toggle.setAttribute("aria-pressed", String(on));
    const shown = on ? this.sections[this.bright] : this.plain;
    this.buttons[this.bright].forEach((button, column) => {
      const picture = shown.pictures[column];
      button.replaceChildren(this.image(picture));
    });
    if (this.large.open) this.fill();
  }

  dialog() {
    this.row = make("div", { class: "row", style: `--s:${this.sections.length}` });
    this.where = make("p", { "aria-live": "polite" });
    const close = () => this.large.close();
    const dialog = make("dialog", { class: "large", "aria-label": say("form.picture"), onclick: event => event.target === dialog && close(), onkeydown: event => this.leaf(event) },
      make("div", { class: "bar" },
        make("button", { type: "button", onclick: () => this.turn(-1), "aria-label": say("form.previous_picture"), text: "←" }),
        this.where,
        make("button", { type: "button", onclick: () => this.turn(1), "aria-label": say("form.next_picture"), text: "→" }),
        make("button", { type: "button", class: "close", onclick: close, "aria-label": say("form.close"), text: "✕" })),
      this.row);
    dialog.addEventListener("close", () => this.buttons[this.place[0]][this.place[1]].focus({ preventScroll: true }));
    return dialog;
  }

  open(row, column) {
    this.reach(row, column);
    this.fill();
    this.large.showModal();
  }

  fill() {
    const column = this.place[1];
    this.where.textContent = say("form.place", { n: column + 1, of: this.count });
    this.row.replaceChildren(...this.sections.map(({ letter, title, pictures }) => {
      const plain = letter in PLAIN && !this.heat;
      const picture = plain ? this.plain.pictures[column] : pictures[column];
      return make("figure", {}, this.image(picture), make("figcaption", {}, letter ? make("b", { text: letter }) : null, make("span", { text: plain ? say("form.highlights_off") : title })));
    }));
  }

  turn(step) {
    this.reach(this.place[0], (this.place[1] + step + this.count) % this.count);
    this.fill();
  }

  leaf(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step) {
      event.preventDefault();
      this.turn(step);
    }
  }
}
