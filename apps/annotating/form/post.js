// Messages to the server, one at a time. Each has an id and is sent again until its receipt comes; the server acts once on an id.

const FIRST_WAIT = 3000, LONGEST_WAIT = 15000;

class Post {
  /** `onState` hears "idle", "sending" or "waiting" (no receipt for a while: the connection may be lost). */
  constructor(onState) {
    this.queue = [];
    this.flying = null;
    this.onState = onState;
    this.deliver = null;
  }

  /** Send a message; resolves with its receipt. A later draft or sign of life takes the place of one that waits. */
  send(kind, body) {
    if (kind === "draft" || kind === "active") {
      this.forget(kind, body.item);
    }
    return new Promise(resolve => {
      this.queue.push({ message: { id: this.newId(), kind, ...body }, resolve });
      this.next();
    });
  }

  /** Take back messages of a kind that have not left yet. */
  forget(kind, item) {
    const left = ({ message }) => !(message.kind === kind && message.item === item);
    this.queue.filter(one => !left(one)).forEach(one => one.resolve(null));
    this.queue = this.queue.filter(left);
  }

  waitsFor(kind) {
    return [this.flying, ...this.queue].some(one => one?.message.kind === kind);
  }

  next() {
    if (this.flying || !this.queue.length) return;
    this.flying = { ...this.queue.shift(), wait: FIRST_WAIT };
    this.onState("sending");
    this.launch();
  }

  launch() {
    const { message, wait } = this.flying;
    this.launched = Date.now();
    this.deliver?.(message);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.onState("waiting");
      this.flying.wait = Math.min(wait * 1.5, LONGEST_WAIT);
      this.launch();
    }, wait);
  }

  /** The connection may be back: do not wait any longer. */
  hurry() {
    if (!this.flying || Date.now() - this.launched < 1000) return;
    this.flying.wait = FIRST_WAIT;
    this.launch();
  }

  receive(receipts) {
    const receipt = this.flying && receipts[this.flying.message.id];
    if (!receipt) return;
    clearTimeout(this.timer);
    const { resolve } = this.flying;
    this.flying = null;
    this.onState("idle");
    resolve(receipt);
    this.next();
  }

  newId() {
    return crypto.randomUUID?.() ?? [...crypto.getRandomValues(new Uint8Array(16))].map(n => n.toString(16).padStart(2, "0")).join("");
  }
}
