"use strict";
// In the head, so that the page never flashes in the other theme.
{
  let kept = null;
  try {
    kept = localStorage.getItem("mibench-theme");
  } catch {
    // Storage may be blocked; the system's theme will do.
  }
  if (kept === "dark" || kept === "light") document.documentElement.dataset.theme = kept;
}
