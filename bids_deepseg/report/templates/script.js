"use strict";
// Everything is readable without this: it adds sorting of the tables by all columns but the last, which holds notes, and
// a field above each long table that finds rows.
(function () {
  function keyOf(row, column) {
    const cell = row.cells[column];
    const key = cell.dataset.key;
    return key === undefined ? cell.textContent.trim() : Number(key);
  }
  function sortBy(table, header, column) {
    const up = header.getAttribute("aria-sort") !== "ascending";
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", up ? "ascending" : "descending");
    const rows = Array.from(table.tBodies[0].rows);
    rows.sort(function (a, b) {
      const x = keyOf(a, column), y = keyOf(b, column);
      const order = typeof x === "number" ? x - y : x.localeCompare(y);
      return up ? order : -order;
    });
    table.tBodies[0].append(...rows);
  }
  // Rows stay that hold all words, wherever they stand in the row.
  function addSearch(table) {
    const texts = new Map(Array.from(table.tBodies[0].rows, (row) => [row, row.textContent.toLowerCase()]));
    const label = document.createElement("label"), input = document.createElement("input");
    const count = document.createElement("output");
    label.className = "search";
    input.type = "search";
    label.append("Find in this table", input, count);
    input.addEventListener("input", function () {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const [row, text] of texts) {
        row.hidden = !words.every((word) => text.includes(word));
        shown += row.hidden ? 0 : 1;
      }
      count.textContent = words.length ? `${shown} of ${texts.size} rows` : "";
    });
    table.closest(".rows").before(label);
  }
  const LONG_ROWS = 10;
  document.addEventListener("keydown", function (event) {
    const field = document.querySelector(".search input");
    if (event.key !== "/" || !field || event.target.matches("input")) return;
    event.preventDefault();
    field.focus();
  });
  for (const table of document.querySelectorAll("table.summary")) {
    if (table.tBodies[0].rows.length > LONG_ROWS) addSearch(table);
    const headers = Array.from(table.tHead.rows[0].cells).slice(0, -1);
    headers.forEach(function (header, column) {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...header.childNodes);
      header.append(button);
      button.addEventListener("click", function () { sortBy(table, header, column); });
    });
  }
})();
