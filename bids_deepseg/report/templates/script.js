"use strict";
// Everything is readable without this: it adds sorting of the tables by all columns but the last, which holds notes.
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
  for (const table of document.querySelectorAll("table.summary")) {
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
