"use strict";
// The page works without this script. With it, what the server words anew is put in place without a reload, but never
// under a pressed finger, and pictures stay where they are until they change.
(() => {
  const EVERY_MS = 10000;
  const PARTS = ["today", "lessons", "goods-alerts", "charts", "pictures", "batches", "cameras"];
  // After a verdict that was refused the page's own address takes only verdicts.
  const asked = new URLSearchParams([...new FormData(document.querySelector(".judge"))]
    .filter(([name]) => ["lang", "before"].includes(name)));
  const address = `/goods?${asked}`;
  if (location.pathname !== "/goods") history.replaceState(null, "", address);
  const status = document.getElementById("connection");
  const clock = new Intl.DateTimeFormat(document.documentElement.lang,
    { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
  let pressed = false;
  addEventListener("pointerdown", () => { pressed = true; });
  for (const end of ["pointerup", "pointercancel"]) addEventListener(end, () => setTimeout(() => { pressed = false; }, 700));

  const said = new Map(PARTS.map((id) => [id, document.getElementById(id).innerHTML]));

  async function refresh() {
    if (document.hidden || pressed) return;
    const answer = await fetch(address).catch(() => null);
    status.classList.toggle("lost", !answer?.ok);
    status.textContent = answer?.ok
      ? `${document.body.dataset.live} ${clock.format(new Date())}` : document.body.dataset.lost;
    if (!answer?.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    // The first pictures bring the field for the name with them.
    if (fresh.querySelector(".judge [name=by]") && !document.querySelector(".judge [name=by]")) return location.reload();
    for (const id of PARTS) {
      const html = fresh.getElementById(id)?.innerHTML;
      const part = document.getElementById(id);
      if (html === undefined || said.get(id) === html || pressed || part.contains(document.activeElement)) continue;
      part.innerHTML = html;
      said.set(id, html);
    }
    document.title = fresh.title;
  }
  setInterval(refresh, EVERY_MS);
  document.addEventListener("visibilitychange", refresh);

  // The name is asked for once, and stays on this phone.
  for (const by of document.querySelectorAll("[name=by]")) {
    by.value ||= localStorage.getItem("by") ?? "";
    by.addEventListener("change", () => { if (by.value) localStorage.setItem("by", by.value); });
  }
  status.textContent = `${document.body.dataset.live} ${clock.format(new Date())}`;
})();
