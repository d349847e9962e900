// The table of all images: sorting by each column, a field that finds rows, and filters. Everything is readable without.
const catalogue = (function () {
  const table = document.getElementById("images"), body = table.tBodies[0], rows = Array.from(body.rows);
  const heads = Array.from(table.tHead.rows[0].cells);
  const order = new Intl.Collator("en", { numeric: true });
  const cellOf = (row, column) => row.cells[column].textContent.trim();
  const numeric = (text) => text !== "" && Number.isFinite(Number(text));

  function make(name, parent, text) {
    const element = document.createElement(name);
    if (text !== undefined) element.textContent = text;
    parent.append(element);
    return element;
  }

  // ---- sorting

  function sortBy(head, column) {
    const up = head.getAttribute("aria-sort") !== "ascending";
    for (const other of heads) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const keys = rows.map((row) => row.cells[column].dataset.key);
    const texts = keys[0] === undefined ? rows.map((row) => cellOf(row, column)) : keys;
    const asNumbers = texts.every((text) => numeric(text) || text === "n/a" || text === "–");
    const values = asNumbers ? texts.map((text) => (numeric(text) ? Number(text) : -Infinity)) : texts;
    const places = Array.from(rows.keys());
    places.sort((a, b) => {
      const found = values[a] === values[b] ? 0 : asNumbers ? values[a] - values[b] : order.compare(values[a], values[b]);
      return (up ? found : -found) || a - b;
    });
    const sorted = places.map((place) => rows[place]);
    body.append(...sorted);
    rows.splice(0, rows.length, ...sorted);
  }
  heads.forEach((head, column) => {
    if (head.dataset.unsorted !== undefined || column === 0) return;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => sortBy(head, column));
  });

  // ---- finding and filtering

  const tools = make("div", document.getElementById("tools"));
  tools.className = "filters";
  const search = make("label", tools, "Find ");
  search.className = "search";
  const field = make("input", search);
  field.type = "search";
  let texts = null;
  const tests = new Map();

  // A label beside its field, so that the name of the field is the label alone.
  let fields = 0;
  function named(kind, parent, text) {
    const around = make("div", parent), label = make("label", around, text), made = make(kind, around);
    around.className = "field";
    made.id = label.htmlFor = `field-${++fields}`;
    return made;
  }
  function choice(label, options) {
    const select = named("select", tools, label);
    make("option", select, "all").value = "";
    for (const text of options) make("option", select, text);
    return select;
  }
  // A test says of a row whether it is shown; none shows all.
  function setTest(name, test) {
    if (test) tests.set(name, test); else tests.delete(name);
    apply();
  }
  function distinct(column) {
    return Array.from(new Set(rows.map((row) => cellOf(row, column)))).sort(order.compare);
  }
  heads.forEach((head, column) => {
    const name = head.dataset.filter;
    if (!name) return;
    let options = name === "Judgement" ? ["none yet", "any", "pass", "fail", "artifact"] : distinct(column);
    if (name === "Verdict") options = [...options, "outlier of area"];
    if (options.length < 2) return;
    const select = choice(name, options), score = heads.findIndex((each) => each.classList.contains("score"));
    select.addEventListener("change", () => {
      const wanted = select.value;
      if (wanted === "outlier of area") setTest(name, (row) => row.cells[score].classList.contains("outlier"));
      else if (name === "Judgement" && wanted) setTest(name, (row) => {
        const mark = row.cells[column].dataset.mark;
        return wanted === "none yet" ? !mark : wanted === "any" ? Boolean(mark) : mark === wanted;
      });
      else setTest(name, wanted && ((row) => cellOf(row, column) === wanted));
    });
  });

  // Any column of participants.tsv: by value, or numbers of which there are many by range.
  const LISTED = 30;
  const people = heads.map((head, column) => [head, column]).filter(([head]) => head.dataset.column !== undefined);
  if (people.length) {
    const select = choice("Column of participants.tsv", people.map(([head]) => head.textContent));
    const values = make("span", tools);
    select.addEventListener("change", () => {
      values.replaceChildren();
      setTest("person", null);
      if (!select.value) return;
      const [, column] = people[select.selectedIndex - 1], found = distinct(column);
      const numbers = found.filter(numeric);
      if (found.length > LISTED && 2 * numbers.length > found.length) addRange(values, column);
      else addValues(values, column, found);
    });
  }
  function addValues(parent, column, found) {
    const select = named("select", parent, "Value");
    make("option", select, "all").value = "";
    found.forEach((text, place) => { make("option", select, text).value = String(place); });
    select.addEventListener("change", () => {
      const wanted = found[Number(select.value)];
      setTest("person", select.value !== "" && ((row) => cellOf(row, column) === wanted));
    });
  }
  function addRange(parent, column) {
    parent.className = "range";
    const ends = ["From", "To"].map((text) => {
      const input = named("input", parent, text);
      input.type = "number";
      input.step = "any";
      return input;
    });
    for (const input of ends) input.addEventListener("input", () => {
      const low = ends[0].value === "" ? -Infinity : Number(ends[0].value);
      const high = ends[1].value === "" ? Infinity : Number(ends[1].value);
      const all = low === -Infinity && high === Infinity;
      setTest("person", !all && ((row) => {
        const text = cellOf(row, column);
        return numeric(text) && Number(text) >= low && Number(text) <= high;
      }));
    });
  }

  const count = make("output", tools);
  function apply() {
    let shown = 0;
    const each = Array.from(tests.values());
    for (const row of rows) {
      const hide = !each.every((test) => test(row));
      if (row.hidden !== hide) row.hidden = hide;
      shown += hide ? 0 : 1;
    }
    count.textContent = each.length ? `${shown} of ${rows.length} images` : `${rows.length} images`;
  }
  field.addEventListener("input", () => {
    texts ??= new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    setTest("words", words.length && ((row) => words.every((word) => texts.get(row).includes(word))));
  });
  apply();

  return {
    table, rows, make,
    column: (name) => heads.findIndex((head) => head.classList.contains(name)),
    changed: () => { texts = null; },
  };
})();
