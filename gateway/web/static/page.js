// The page works without this script. With it, values move, and what the server words anew is put in place without a
// reload: a person who is typing or pressing keeps the page under the finger.
import { Card } from "./chart.js";
import { fetchPage, fillNames, finger, language, reached } from "./common.js";

const REST_MS = 2000, REGULARLY_MS = 30000;
const news = document.getElementById("news");
const cards = [...document.querySelectorAll(".machine")].map((root) => new Card(root));
const find = (data) => cards.find((card) => card.is(data.node, data.machine));

const chosen = (input) => input.options ? input.value !== "" : input.name !== "by" && input.value !== input.defaultValue;
const writing = (part) => [...part.querySelectorAll('select, input:not([type="hidden"])')].some((input) =>
  input === document.activeElement || chosen(input));

// What the server said last, by part: what has not changed is left alone.
const said = new Map();
function put(id, fresh, force) {
  const part = document.getElementById(id), text = fresh.innerHTML;
  if (said.get(id) === text) return true;
  // A keyboard would lose its place, too.
  if (!force && (writing(part) || part.contains(document.activeElement))) return false;
  const open = [...part.querySelectorAll("details[open]")].map((one) => one.id);
  part.innerHTML = text;
  open.forEach((one) => document.getElementById(one)?.setAttribute("open", ""));
  said.set(id, text);
  fillNames();
  return true;
}

// A reader that speaks says it again only where it is new; the meter has been moved by values since.
function putStatus(root, text) {
  const place = root.querySelector(".status");
  if (said.get(root.id) === text || place.contains(document.activeElement)) return;
  place.innerHTML = text;
  said.set(root.id, text);
}

// A menu that is open stays as it is under the finger.
function putMenu(menu, fresh) {
  if (menu.querySelector("details[open]") || menu.contains(document.activeElement)) return;
  if (menu.innerHTML === fresh.innerHTML) return;
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
      putStatus(card.root, article.querySelector(".status").innerHTML);
      putMenu(card.root.querySelector(".tend"), article.querySelector(".tend"));
    }
  }
}

// A message's link may lead to what is folded up.
function unfold() {
  const place = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  place?.closest("details")?.setAttribute("open", "");
  place?.scrollIntoView();
}
addEventListener("hashchange", unfold);

let last = 0, waiting = 0;
function refresh() {
  if (!waiting) waiting = setTimeout(putPage, Math.max(last + REST_MS - Date.now(), 50));
}
async function putPage(force = false) {
  waiting = 0;
  if (finger.pressed && !force) return refresh();
  last = Date.now();
  const fresh = await fetchPage(`/?lang=${language}`);
  if (!fresh) return;
  if (finger.pressed && !force) return refresh();
  news.hidden = put("alerts", fresh.getElementById("alerts"), force);
  ["delivery", "nodes"].forEach((id) => put(id, fresh.getElementById(id), force));
  putMachines(fresh);
  document.title = fresh.title;
}
news.addEventListener("click", () => putPage(true));

const AGAIN_MS = 10000;
const catchUp = () => { refresh(); cards.forEach((card) => card.load()); };
let stream, lost = false;
function listen() {
  stream = new EventSource("/api/v1/stream?types=telemetry,condition,alert,reply");
  stream.addEventListener("open", () => {
    reached(true);
    if (lost) catchUp();
    lost = false;
  });
  stream.addEventListener("error", () => {
    lost = true;
    reached(false);
    // After a broken connection the browser tries again by itself, after an answer that is no stream it does not.
    if (stream.readyState === EventSource.CLOSED) setTimeout(listen, AGAIN_MS);
  });
  stream.addEventListener("telemetry", (event) => {
    reached(true);
    const data = JSON.parse(event.data), card = find(data);
    if (card) card.telemetry(data);
    if (!card?.select) refresh();
  });
  stream.addEventListener("condition", (event) => {
    reached(true);
    const data = JSON.parse(event.data);
    if (find(data)?.condition(data) ?? true) refresh();
  });
  for (const kind of ["alert", "reply"]) stream.addEventListener(kind, refresh);
  stream.addEventListener("dropped", catchUp);
}
listen();
addEventListener("beforeunload", () => stream.close());
document.addEventListener("visibilitychange", () => { if (!document.hidden) catchUp(); });
setInterval(() => { if (!document.hidden) refresh(); }, REGULARLY_MS);
cards.forEach((card) => card.load());
unfold();
