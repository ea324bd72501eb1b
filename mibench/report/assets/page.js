"use strict";

// --- theme -----------------------------------------------------------------------------------------------------

const root = document.documentElement;
const systemDark = matchMedia("(prefers-color-scheme: dark)");
const themeButton = document.getElementById("theme");

function isDark() {
  return root.dataset.theme ? root.dataset.theme === "dark" : systemDark.matches;
}

function showTheme() {
  themeButton.setAttribute("aria-pressed", String(isDark()));
}

themeButton.addEventListener("click", () => {
  root.dataset.theme = isDark() ? "light" : "dark";
  try {
    localStorage.setItem("mibench-theme", root.dataset.theme);
  } catch {
    // Not kept where storage is blocked.
  }
  showTheme();
});
systemDark.addEventListener("change", showTheme);
showTheme();
themeButton.hidden = false;

// --- commands and figures --------------------------------------------------------------------------------------

const said = document.getElementById("said");

async function copyText(node) {
  try {
    await navigator.clipboard.writeText(node.textContent);
  } catch {
    // Without the permission: through a selection, as people do it.
    getSelection().selectAllChildren(node);
    document.execCommand("copy");
  }
}

for (const button of document.querySelectorAll("button.copy")) {
  const label = button.firstChild;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await copyText(button.parentElement.querySelector("code"));
    label.data = said.textContent = "Copied";
    setTimeout(() => (label.data = "Copy"), 1600);
  });
}

const dialog = document.getElementById("enlarged");
for (const button of document.querySelectorAll("button.enlarge")) {
  button.hidden = false;
  button.addEventListener("click", () => {
    const copy = button.parentElement.querySelector("img").cloneNode();
    dialog.querySelector(".paper").replaceChildren(copy);
    dialog.showModal();
  });
}

// What overflows can be scrolled with the keyboard, and what does not is no stop on the way.
const overflows = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    if (target.scrollWidth > target.clientWidth || target.scrollHeight > target.clientHeight) target.tabIndex = 0;
    else target.removeAttribute("tabindex");
  }
});
for (const box of document.querySelectorAll(".scroll")) overflows.observe(box);
