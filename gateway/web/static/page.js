"use strict";
// The page works without this script. With it, values move, and what the server words anew is put in place without a
// reload: a person who is typing or pressing keeps the page under the finger.
(() => {
  const REST_MS = 2000, REGULARLY_MS = 30000;
  const status = document.getElementById("connection");
  const news = document.getElementById("news");
  const clock = new Intl.DateTimeFormat(document.documentElement.lang,
    { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
  const Card = window.Card;
  const cards = [...document.querySelectorAll(".machine")].map((root) => new Card(root));
  const find = (data) => cards.find((card) => card.is(data.node, data.machine));

  let pressed = false;
  addEventListener("pointerdown", () => { pressed = true; });
  for (const end of ["pointerup", "pointercancel"]) addEventListener(end, () => setTimeout(() => { pressed = false; }, 700));

  const chosen = (input) => input.options ? input.value !== "" : input.name !== "by" && input.value !== input.defaultValue;
  const writing = (part) => [...part.querySelectorAll('select, input:not([type="hidden"])')].some((input) =>
    input === document.activeElement || chosen(input));

  // What the server said last, by part: what has not changed is left alone.
  const said = new Map();
  function put(id, fresh, force) {
    const part = document.getElementById(id), text = fresh.innerHTML;
    if (said.get(id) === text) return true;
    if (!force && writing(part)) return false;
    const open = [...part.querySelectorAll("details[open]")].map((one) => one.id);
    part.innerHTML = text;
    open.forEach((one) => document.getElementById(one)?.setAttribute("open", ""));
    said.set(id, text);
    fillNames();
    return true;
  }

  // A menu that is open stays as it is under the finger.
  function putMenu(menu, fresh) {
    if (menu.querySelector("details[open]") || menu.innerHTML === fresh.innerHTML) return;
    menu.innerHTML = fresh.innerHTML;
    fillNames();
  }

  function putMachines(fresh) {
    const list = document.querySelector("#machines .machines");
    for (const article of fresh.querySelectorAll(".machine")) {
      const card = find(article.dataset);
      if (!card) {
        list.querySelector(":scope > p")?.remove();
        cards.push(new Card(list.appendChild(document.importNode(article, true))));
        cards.at(-1).load();
        fillNames();
      } else if (!card.select && article.querySelector("select")) {
        const made = document.importNode(article, true);
        card.root.replaceWith(made);
        cards.splice(cards.indexOf(card), 1, new Card(made));
        fillNames();
      } else {
        card.root.querySelector(".status").innerHTML = article.querySelector(".status").innerHTML;
        putMenu(card.root.querySelector(".tend"), article.querySelector(".tend"));
      }
    }
  }

  let last = 0, waiting = 0;
  function refresh() {
    if (!waiting) waiting = setTimeout(fetchPage, Math.max(last + REST_MS - Date.now(), 50));
  }
  async function fetchPage(force = false) {
    waiting = 0;
    if (pressed && !force) return refresh();
    last = Date.now();
    const answer = await fetch(`/?lang=${document.documentElement.lang}`).catch(() => null);
    if (!answer?.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (pressed && !force) return refresh();
    news.hidden = put("alerts", fresh.getElementById("alerts"), force);
    ["delivery", "nodes"].forEach((id) => put(id, fresh.getElementById(id), force));
    putMachines(fresh);
    document.title = fresh.title;
  }
  news.addEventListener("click", () => fetchPage(true));

  const stream = new EventSource("/api/v1/stream?types=telemetry,condition,alert,reply");
  let lost = false;
  const seen = () => {
    status.classList.remove("lost");
    status.textContent = `${document.body.dataset.live} ${clock.format(new Date())}`;
  };
  const catchUp = () => { refresh(); cards.forEach((card) => card.load()); };
  stream.addEventListener("open", () => {
    seen();
    if (lost) catchUp();
    lost = false;
  });
  stream.addEventListener("error", () => {
    lost = true;
    status.classList.add("lost");
    status.textContent = document.body.dataset.lost;
  });
  stream.addEventListener("telemetry", (event) => {
    seen();
    const data = JSON.parse(event.data), card = find(data);
    if (card) card.telemetry(data);
    if (!card?.select) refresh();
  });
  stream.addEventListener("condition", (event) => {
    seen();
    const data = JSON.parse(event.data);
    if (find(data)?.condition(data) ?? true) refresh();
  });
  stream.addEventListener("alert", refresh);
  stream.addEventListener("reply", refresh);
  stream.addEventListener("dropped", catchUp);
  addEventListener("beforeunload", () => stream.close());
  document.addEventListener("visibilitychange", () => { if (!document.hidden) catchUp(); });
  setInterval(() => { if (!document.hidden) refresh(); }, REGULARLY_MS);
  cards.forEach((card) => card.load());

  // The name is asked for once, and stays on this phone.
  function fillNames() {
    const name = localStorage.getItem("by") ?? "";
    document.querySelectorAll('input[name="by"]').forEach((input) => { input.value ||= name; });
  }
  document.addEventListener("change", (event) => {
    if (event.target.name === "by" && event.target.value) localStorage.setItem("by", event.target.value);
  });
  fillNames();
})();
