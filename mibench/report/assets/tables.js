"use strict";
// The two tables of a report that are sorted and filtered; after page.js, whose `overflows` watches them too.

const NOT_FINITE = { inf: "∞", "-inf": "−∞" };

function numberText(value) {
  if (value === null) return "";
  if (value in NOT_FINITE) return NOT_FINITE[value];
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e9) return value.toLocaleString("en-US").replace("-", "−");
  const text = size >= 1e6 || size < 1e-4 ? value.toExponential(2) : String(Number(value.toPrecision(4)));
  return text.replaceAll("-", "−");
}

// Three decimals, so that a column's points lie below one another.
function fixedText(value) {
  if (value === null || value in NOT_FINITE || Math.abs(value) >= 1e6) return numberText(value);
  const text = value.toLocaleString("en-US", { minimumFractionDigits: 3, maximumFractionDigits: 3 });
  return text.replace(/^-(?=[0.]+$)/, "").replace("-", "−");
}

function numberOrder(value) {
  if (value === null) return -Infinity; // unknown values are the lowest
  return value === "inf" ? Infinity : value === "-inf" ? -Number.MAX_VALUE : value;
}

function intervalText([value, low, high]) {
  return low === null ? fixedText(value) : `${fixedText(value)} [${fixedText(low)}, ${fixedText(high)}]`;
}

// The library takes a cell's text for HTML.
function escapeText(text) {
  return String(text ?? "").replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

const RENDER = {
  text: (value) => escapeText(value),
  id: (value, use) => (use === "display" ? `<code>${escapeText(value)}</code>` : escapeText(value)),
  status: (value, use) =>
    use === "display" ? `<span class="status ${escapeText(value)}">${escapeText(value)}</span>` : escapeText(value),
  number: (value, use) => (use === "sort" ? numberOrder(value) : numberText(value)),
  fixed: (value, use) => (use === "sort" ? numberOrder(value) : fixedText(value)),
  interval: (value, use) => (use === "sort" ? numberOrder(value[0]) : intervalText(value)),
};

function fillOptions(select, rows, kind) {
  const values = [...new Set(rows.map((row) => row[select.dataset.column]))].filter((value) => value !== null);
  const isNumber = kind === "number";
  values.sort(isNumber ? (a, b) => numberOrder(a) - numberOrder(b) : (a, b) => a.localeCompare(b, "en", { numeric: true }));
  for (const value of values) select.add(new Option(isNumber ? numberText(value) : value, String(value)));
}

function makeTable(name) {
  const { kinds, rows } = JSON.parse(document.getElementById(`${name}-data`).textContent);
  const filters = document.getElementById(`${name}-filters`);
  const selects = [...filters.querySelectorAll("select")];
  const numeric = kinds.map((kind) => ["number", "fixed", "interval"].includes(kind));
  const table = new DataTable(`#${name}-table`, {
    data: rows,
    columns: kinds.map((kind, index) => ({
      type: numeric[index] ? "num" : "string",
      className: numeric[index] ? "right" : "",
      searchable: !numeric[index],
      render: RENDER[kind],
    })),
    order: [],
    autoWidth: false,
    pageLength: 25,
    lengthMenu: [10, 25, 100, 500],
    layout: { topStart: null, topEnd: null, bottomStart: ["info", "pageLength"], bottomEnd: "paging" },
    language: {
      info: "_START_ to _END_ of _TOTAL_",
      infoEmpty: "none",
      infoFiltered: "(_MAX_ in all)",
      lengthMenu: "Rows a page _MENU_",
      zeroRecords: "Nothing matches the filters.",
    },
  });
  for (const select of selects) fillOptions(select, rows, kinds[select.dataset.column]);
  table.search.fixed("filters", (_, row) =>
    selects.every((select) => !select.value || String(row[select.dataset.column]) === select.value),
  );
  const search = filters.querySelector("input");
  const apply = () => table.search(search.value).draw();
  filters.addEventListener("input", apply);
  filters.addEventListener("reset", () => setTimeout(apply)); // after the fields are empty
  filters.addEventListener("submit", (event) => event.preventDefault());
  filters.hidden = false;
  const box = document.querySelector(`#${name} .dt-layout-table`);
  box.classList.add("scroll");
  box.setAttribute("role", "group");
  box.setAttribute("aria-label", `Table of ${name}`);
  overflows.observe(box);
}

DataTable.ext.errMode = "throw";
makeTable("board");
makeTable("runs");
