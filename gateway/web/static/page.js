"use strict";
// The page works without this script; with it, values move, and the list of alerts is never older than a second.
(() => {
  const POINTS = 240;
  const status = document.getElementById("connection");
  const lang = document.documentElement.lang;
  const number = new Intl.NumberFormat(lang, { maximumSignificantDigits: 4 });
  const clock = new Intl.DateTimeFormat(lang, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  const cards = [...document.querySelectorAll(".machine")].map((root) => new Card(root));

  function Card(root) {
    const select = root.querySelector("select");
    const line = root.querySelector("polyline");
    const field = (name) => root.querySelector(`[data-field="${name}"]`);
    let points = [];
    const draw = () => {
      if (!line || points.length < 2) return;
      const times = points.map((point) => point[0]);
      const values = points.map((point) => point[1]);
      const first = times[0], span = times[times.length - 1] - first || 1;
      const low = Math.min(...values), high = Math.max(...values), height = high - low || 1;
      line.setAttribute("points", points.map(([time, value]) =>
        `${(300 * (time - first) / span).toFixed(1)},${(95 - 90 * (value - low) / height).toFixed(1)}`).join(" "));
      field("low").textContent = `min ${number.format(low)}`;
      field("latest").textContent = `${number.format(values[values.length - 1])} ${select.selectedOptions[0]?.dataset.unit ?? ""}`;
      field("high").textContent = `max ${number.format(high)}`;
    };
    const load = async () => {
      if (!select) return;
      const path = `/api/v1/machines/${root.dataset.node}/${root.dataset.machine}/chart`;
      const answer = await fetch(`${path}?channel=${encodeURIComponent(select.value)}&minutes=15&points=${POINTS}`);
      if (!answer.ok) return;
      const chart = await answer.json();
      points = chart.times_ms.map((time, index) => [time, chart.mean[index]]);
      draw();
    };
    select?.addEventListener("change", load);
    this.is = (node, machine) => root.dataset.node === node && root.dataset.machine === machine;
    this.telemetry = (data) => {
      const value = select ? data.values[select.value] : undefined;
      if (value === undefined) return;
      points.push([data.time_ns / 1e6, value]);
      if (points.length > POINTS) points = points.slice(-POINTS);
      draw();
    };
    this.condition = (data) => {
      const meter = field("score");
      if (!meter && data.learned === 1) return reload();
      if (meter) meter.value = data.score;
    };
    this.load = load;
  }

  let reloading = false;
  // A person who is typing keeps the page; everybody else gets the new list.
  function reload() {
    const typing = document.activeElement?.matches?.("input, select");
    if (reloading || typing) return;
    reloading = true;
    setTimeout(() => location.reload(), 300);
  }

  const stream = new EventSource("/api/v1/stream?types=telemetry,condition,alert");
  const seen = () => {
    status.classList.remove("lost");
    status.textContent = `${document.body.dataset.live} ${clock.format(new Date())}`;
  };
  stream.addEventListener("open", seen);
  stream.addEventListener("error", () => {
    status.classList.add("lost");
    status.textContent = document.body.dataset.lost;
  });
  stream.addEventListener("telemetry", (event) => {
    const data = JSON.parse(event.data);
    seen();
    cards.find((card) => card.is(data.node, data.machine))?.telemetry(data);
  });
  stream.addEventListener("condition", (event) => {
    const data = JSON.parse(event.data);
    cards.find((card) => card.is(data.node, data.machine))?.condition(data);
  });
  stream.addEventListener("alert", reload);
  addEventListener("beforeunload", () => stream.close());
  cards.forEach((card) => card.load());

  // The name is asked for once, and stays on this phone.
  document.querySelectorAll('input[name="by"]').forEach((input) => {
    input.value ||= localStorage.getItem("by") ?? "";
    input.form.addEventListener("submit", () => localStorage.setItem("by", input.value));
  });
})();
