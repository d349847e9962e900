"use strict";
(() => {
  const page = JSON.parse(document.getElementById("page").textContent);
  const get = (id) => document.getElementById(id);
  const stage = get("stage"), slider = get("slice"), rows = get("rows");
  const [columns, heights] = page.shape;
  // Points in voxels of the canonical grid, [i, j, k], in the order in which they were set.
  let points = page.points.slice();
  let cross = [(columns - 1) / 2, (heights - 1) / 2];

  const world = ([i, j, k]) => page.affine.map(([a, b, c, d]) => a * i + b * j + c * k + d);
  // Anterior is on the left and superior on top; voxel centres lie half a voxel inside the picture's border.
  const left = (j) => 100 * (columns - 0.5 - j) / columns;
  const top = (k) => 100 * (heights - 0.5 - k) / heights;
  const ordered = () => points.slice().sort((a, b) => b[2] - a[2]);
  const text = (number) => (Math.round(number * 1000) / 1000 + 0).toFixed(3);
  const current = () => page.slices[Number(slider.value)];

  function table() {
    return "x_mm,y_mm,z_mm\n" + ordered().map((point) => world(point).map(text).join(",") + "\n").join("");
  }

  function drawRows() {
    rows.replaceChildren(...ordered().map((point) => {
      const row = document.createElement("tr");
      for (const value of world(point)) row.insertCell().textContent = value.toFixed(1);
      const remove = document.createElement("button");
      remove.type = "button";
      remove.textContent = "Remove";
      remove.setAttribute("aria-label", "Remove the point at z = " + world(point)[2].toFixed(1) + " mm");
      remove.addEventListener("click", () => change(points.filter((other) => other !== point), "Point removed."));
      row.insertCell().append(remove);
      return row;
    }));
  }

  function draw() {
    const i = current();
    get("picture").src = page.pictures[Number(slider.value)];
    const x = world([i, (columns - 1) / 2, (heights - 1) / 2])[0];
    get("place").textContent = Math.abs(x).toFixed(1) + " mm " + (x < 0 ? "left" : "right");
    const step = page.slices.length > 1 ? page.slices[1] - page.slices[0] : 1;
    stage.querySelectorAll(".dot").forEach((dot) => dot.remove());
    for (const point of points) {
      const dot = document.createElement("span");
      dot.className = Math.abs(point[0] - i) < step ? "dot" : "dot far";
      dot.style.left = left(point[1]) + "%";
      dot.style.top = top(point[2]) + "%";
      stage.append(dot);
    }
    get("course").setAttribute("points", ordered().map((p) => left(p[1]) + "," + top(p[2])).join(" "));
    get("cross").style.left = left(cross[0]) + "%";
    get("cross").style.top = top(cross[1]) + "%";
  }

  function change(to, told) {
    points = to;
    const none = points.length === 0;
    get("undo").disabled = get("clear").disabled = none;
    get("csv").value = none ? "" : table();
    const save = get("save");
    save.setAttribute("aria-disabled", String(none));
    if (none) save.removeAttribute("href");
    else save.href = "data:text/csv;charset=utf-8," + encodeURIComponent(table());
    get("told").textContent = told + " " + (none ? "No point yet." : "Points: " + points.length + ".");
    drawRows();
    draw();
  }

  function add(j, k) {
    // One point for each axial slice: the cord crosses a slice once.
    const others = points.filter((point) => Math.round(point[2]) !== Math.round(k));
    const replaced = others.length < points.length;
    change([...others, [current(), j, k]], replaced ? "Point replaced." : "Point set.");
  }

  stage.addEventListener("click", (event) => {
    const box = stage.getBoundingClientRect();
    const j = columns - 0.5 - columns * (event.clientX - box.left) / box.width;
    const k = heights - 0.5 - heights * (event.clientY - box.top) / box.height;
    cross = [j, k];
    add(j, k);
  });

  function turn(by) {
    slider.value = Number(slider.value) + by;
    draw();
  }

  const moves = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
  const within = (value, n) => Math.min(Math.max(value, 0), n - 1);
  stage.addEventListener("keydown", (event) => {
    const move = moves[event.key];
    if (move) {
      const far = event.shiftKey ? 10 : 1;
      cross = [within(cross[0] + far * move[0], columns), within(cross[1] + far * move[1], heights)];
      draw();
      const [, y, z] = world([current(), ...cross]);
      get("told").textContent = "Cross at y = " + y.toFixed(1) + " mm, z = " + z.toFixed(1) + " mm.";
    } else if (event.key === "Enter" || event.key === " ") add(...cross);
    else if (event.key === "PageUp") turn(1);
    else if (event.key === "PageDown") turn(-1);
    else if (event.key === "Backspace") change(points.slice(0, -1), "Last point removed.");
    else return;
    event.preventDefault();
  });
  slider.addEventListener("input", draw);
  get("light").addEventListener("input", () => {
    get("picture").style.filter = "brightness(" + get("light").value + "%)";
    get("lightness").textContent = get("light").value + " %";
  });
  get("undo").addEventListener("click", () => change(points.slice(0, -1), "Last point removed."));
  get("clear").addEventListener("click", () => change([], "All points removed."));
  change(points, "");
})();
