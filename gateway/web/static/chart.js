// One machine's card: its chart, and the score's meter. The server has drawn both already; here they move.
import { clock, language } from "./common.js";

export class Card {
  static MINUTES = 15;
  static POINTS = 240;
  static BUCKET_MS = 5000; // what the gateway makes of a quarter of an hour in so many points

  constructor(root) {
    this.root = root;
    this.points = [];
    this.running = null;
    this.signature = "";
    this.number = new Intl.NumberFormat(language, { maximumSignificantDigits: 3 });
    this.select?.addEventListener("change", () => this.load());
  }

  get select() { return this.root.querySelector("select"); }

  is(node, machine) { return this.root.dataset.node === node && this.root.dataset.machine === machine; }

  write(name, text) { this.root.querySelector(`[data-field="${name}"]`).textContent = text; }

  async load() {
    if (!this.select) return;
    const channel = this.select.value;
    const path = `/api/v1/machines/${this.root.dataset.node}/${this.root.dataset.machine}/chart`;
    const query = new URLSearchParams({ channel, minutes: Card.MINUTES, points: Card.POINTS });
    const answer = await fetch(`${path}?${query}`).catch(() => null);
    if (!answer?.ok || this.select.value !== channel) return;
    const chart = await answer.json();
    this.points = chart.times_ms.map((time, index) => [time, chart.mean[index]]);
    this.running = null;
    this.draw();
  }

  draw() {
    const line = this.root.querySelector("polyline");
    if (this.points.length < 2) {
      line.setAttribute("points", "");
      ["first", "last", "low", "latest", "high"].forEach((name) => this.write(name, ""));
      return;
    }
    const values = this.points.map((point) => point[1]);
    const first = this.points[0][0], last = this.points.at(-1)[0], span = last - first || 1;
    const low = Math.min(...values), high = Math.max(...values), height = high - low || 1;
    line.setAttribute("points", this.points.map(([time, value]) =>
      `${(300 * (time - first) / span).toFixed(1)},${(95 - 90 * (value - low) / height).toFixed(1)}`).join(" "));
    this.write("first", clock.format(first));
    this.write("last", clock.format(last));
    this.write("low", `min ${this.number.format(low)}`);
    this.write("latest", `${this.number.format(values.at(-1))} ${this.select.selectedOptions[0]?.dataset.unit ?? ""}`);
    this.write("high", `max ${this.number.format(high)}`);
  }

  // Values gather to the mean of their bucket, which is drawn when it is over: as the gateway does it, so that the line does not
  // end in a jump. Only where values come more seldom than buckets each is drawn at once.
  telemetry(data) {
    const value = this.select ? data.values[this.select.value] : undefined;
    const time = data.time_ns / 1e6, start = Math.floor(time / Card.BUCKET_MS) * Card.BUCKET_MS;
    const latest = this.points.at(-1);
    if (value === undefined || (latest && start <= latest[0])) return;
    if (this.running && this.running.start < start) {
      this.points.push([this.running.start, this.running.sum / this.running.count]);
      this.running = null;
    } else if (!this.running && latest && start - latest[0] > 2 * Card.BUCKET_MS) {
      this.points.push([start, value]);
    }
    if (!this.points.length || start > this.points.at(-1)[0]) {
      this.running ??= { start, sum: 0, count: 0 };
      this.running.sum += value;
      this.running.count += 1;
    }
    while (this.points.length && this.points[0][0] < time - Card.MINUTES * 60000) this.points.shift();
    this.draw();
  }

  // True when more than the score has changed and the server should word it anew.
  condition(data) {
    const meter = this.root.querySelector(".meter");
    if (meter && data.limit) {
      meter.querySelector(".fill").setAttribute("width", Math.min(100 * data.score / data.limit, 200).toFixed(1));
      meter.setAttribute("aria-valuemax", (2 * data.limit).toPrecision(3));
      meter.setAttribute("aria-valuenow", Math.min(data.score, 2 * data.limit).toPrecision(3));
    }
    const learning = data.learned < 1 ? Math.floor(20 * data.learned) : "";
    const signature = [data.regime, data.severity, learning, data.paused, !data.prognosis, ...(data.sensor_faults ?? [])].join("|");
    const changed = this.signature !== signature;
    this.signature = signature;
    return changed;
  }
}
