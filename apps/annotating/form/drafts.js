// What has been typed, kept by the browser at once: it survives a reload, a crash and a lost connection.

const DRAFT_DAYS = 30;

class Drafts {
  constructor(prefix) {
    this.prefix = prefix;
    this.memory = new Map(); // where the browser keeps nothing (private windows, blocked storage)
    this.tidy();
  }

  name(view) {
    return `${this.prefix} ${view}`;
  }

  get(view) {
    try {
      const stored = JSON.parse(localStorage.getItem(this.name(view)));
      if (stored && typeof stored.answers === "object") return stored;
    } catch {
      // Storage that is blocked or holds something else: as if there were nothing.
    }
    return this.memory.get(view) ?? null;
  }

  put(view, answers, sent) {
    const draft = { answers, sent, at: Date.now() };
    this.memory.set(view, draft);
    try {
      localStorage.setItem(this.name(view), JSON.stringify(draft));
    } catch {
      // The memory has it, and the server soon will.
    }
  }

  drop(view) {
    this.memory.delete(view);
    try {
      localStorage.removeItem(this.name(view));
    } catch {
      // Nothing was kept there.
    }
  }

  tidy() {
    try {
      for (const name of Object.keys(localStorage)) {
        if (!name.startsWith("barlow ")) continue;
        const { at } = JSON.parse(localStorage.getItem(name));
        if (Date.now() - at > DRAFT_DAYS * 86_400_000) localStorage.removeItem(name);
      }
    } catch {
      // Old drafts do no harm.
    }
  }
}
