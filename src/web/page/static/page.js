// Keeps the page current without a reload: what is marked `data-live` is replaced when the server shows it otherwise. Focus,
// scrolling and what is being typed stay; a part with an open form waits until that is closed. Without this the page works too, and is reloaded once a minute.
"use strict";
const EVERY = 10000;

async function refresh() {
  const response = await fetch(location.href, { headers: { Accept: "text/html" }, redirect: "error" });
  if (!response.ok) throw new Error(String(response.status));
  const shown = new DOMParser().parseFromString(await response.text(), "text/html");
  document.title = shown.title;
  for (const old of document.querySelectorAll("[data-live]")) {
    const fresh = shown.getElementById(old.id);
    if (!fresh || fresh.innerHTML === old.innerHTML || old.querySelector("details[open]")) continue;
    const focused = old.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    const changed = fresh.textContent.replace(/\d+ (s|min|h|days) ago/g, "") !== old.textContent.replace(/\d+ (s|min|h|days) ago/g, "");
    old.innerHTML = fresh.innerHTML;
    old.classList.remove("changed");
    if (changed && old.id !== "pulse") requestAnimationFrame(() => old.classList.add("changed"));
    if (focused) [...old.querySelectorAll("a")].find((link) => link.getAttribute("href") === focused)?.focus();
  }
}

async function turn() {
  if (document.visibilityState === "visible") {
    const pulse = document.getElementById("pulse");
    try {
      await refresh();
      pulse.classList.remove("trouble");
    } catch {
      // The monitor is gone or the password has changed; what is shown may be old, and that is said.
      pulse.textContent = "The monitor does not answer: what is shown here may be old.";
      pulse.classList.add("trouble");
    }
  }
  setTimeout(turn, EVERY);
}

setTimeout(turn, EVERY);
