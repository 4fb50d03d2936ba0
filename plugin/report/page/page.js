"use strict";
// The page reads well without this. It draws large meshes, and adds buttons that copy
// commands and a search. It asks nothing of the network; the page's policy forbids it.

const data = JSON.parse(document.getElementById("data").textContent);
const words = { p: "pass", w: "pass", i: "inconclusive", f: "fail", l: "leak", n: "none" };
const gravity = "npwifl"; // the gravest last
const spoken = {
  p: "proven", w: "proven, with a warning", i: "not proven", f: "failed", l: "seen in plaintext", n: "not tested",
};

// unpack turns runs, "p12f1", into one letter a direction.
function unpack(runs, length) {
  const cells = new Uint8Array(length);
  let at = 0;
  for (const [, letter, count] of runs.matchAll(/([a-z])(\d+)/g)) {
    cells.fill(gravity.indexOf(letter), at, at + Number(count));
    at += Number(count);
  }
  return cells;
}

// colours are those of the style sheet as red, green and blue.
function colours() {
  const style = getComputedStyle(document.documentElement);
  return [...gravity].map((letter) => {
    const hex = style.getPropertyValue("--" + words[letter]).trim();
    return [1, 3, 5].map((from) => parseInt(hex.slice(from, from + 2), 16));
  });
}

class Mesh {
  constructor(canvas, about) {
    this.canvas = canvas;
    this.names = about.nodes;
    this.size = canvas.width; // blocks in a row; each stands for at least one node
    this.cells = unpack(about.cells, about.nodes.length ** 2);
    this.links = about.links;
    this.cursor = canvas.parentElement.querySelector(".cursor");
    this.pointed = document.querySelector(`[data-pointed="${canvas.dataset.mesh}"]`);
    this.row = 0;
    this.column = 0;
    this.draw();
    canvas.addEventListener("pointermove", (event) => this.point(event));
    canvas.addEventListener("pointerdown", (event) => this.point(event));
    canvas.addEventListener("click", () => this.open());
    canvas.addEventListener("keydown", (event) => this.key(event));
    canvas.addEventListener("focus", () => this.show());
    canvas.addEventListener("blur", () => { this.cursor.hidden = true; });
  }

  // first is the first node of a block.
  first(block) { return Math.floor(block * this.names.length / this.size); }

  // count is how many directions of a block have which status.
  count(row, column) {
    const counts = new Array(gravity.length).fill(0);
    for (let from = this.first(row); from < this.first(row + 1); from++) {
      for (let to = this.first(column); to < this.first(column + 1); to++) {
        counts[this.cells[from * this.names.length + to]]++;
      }
    }
    return counts;
  }

  // draw paints every block by the gravest of its directions.
  draw() {
    const context = this.canvas.getContext("2d");
    const image = context.createImageData(this.size, this.size);
    const palette = colours();
    for (let row = 0; row < this.size; row++) {
      for (let column = 0; column < this.size; column++) {
        const counts = this.count(row, column);
        const [red, green, blue] = palette[counts.findLastIndex((n) => n > 0)];
        image.data.set([red, green, blue, 255], (row * this.size + column) * 4);
      }
    }
    context.putImageData(image, 0, 0);
  }

  point(event) {
    const box = this.canvas.getBoundingClientRect();
    const at = (offset, length) => Math.min(this.size - 1, Math.max(0, Math.floor(offset / length * this.size)));
    this.column = at(event.clientX - box.left, box.width);
    this.row = at(event.clientY - box.top, box.height);
    this.show();
  }

  key(event) {
    const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    const move = moves[event.key];
    if (event.key === "Enter") {
      this.open();
    } else if (move) {
      const steps = event.shiftKey ? 10 : 1;
      this.row = Math.min(this.size - 1, Math.max(0, this.row + move[0] * steps));
      this.column = Math.min(this.size - 1, Math.max(0, this.column + move[1] * steps));
      this.show();
    } else {
      return;
    }
    event.preventDefault();
  }

  range(block) {
    const [from, to] = [this.first(block), this.first(block + 1) - 1];
    return from === to ? this.names[from] : `${this.names[from]} … ${this.names[to]}`;
  }

  // show says in words what the cursor is on.
  show() {
    const edge = 100 / this.size;
    this.cursor.hidden = false;
    this.cursor.style.left = this.column * edge + "%";
    this.cursor.style.top = this.row * edge + "%";
    this.cursor.style.width = this.cursor.style.height = `max(${edge}%, 6px)`;
    const parts = [];
    this.count(this.row, this.column).forEach((n, status) => {
      if (n > 0) parts.unshift((n > 1 ? n + " " : "") + spoken[gravity[status]]);
    });
    this.pointed.textContent = `${this.range(this.row)} → ${this.range(this.column)}: ${parts.join(", ")}`;
  }

  // open goes to the proof of the direction under the cursor, if it is listed.
  open() {
    for (let from = this.first(this.row); from < this.first(this.row + 1); from++) {
      for (let to = this.first(this.column); to < this.first(this.column + 1); to++) {
        const id = `d-${from}-${to}-${this.links}`;
        if (document.getElementById(id)) {
          location.hash = id;
          return;
        }
      }
    }
  }
}

const meshes = [...document.querySelectorAll("canvas[data-mesh]")].map(
  (canvas) => new Mesh(canvas, data.meshes[Number(canvas.dataset.mesh)]));
for (const query of ["(prefers-color-scheme: dark)", "print"]) {
  matchMedia(query).addEventListener("change", () => meshes.forEach((mesh) => mesh.draw()));
}

for (const command of document.querySelectorAll(".command")) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    const code = command.querySelector("code");
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    } catch {
      getSelection().selectAllChildren(code); // to be copied by hand
    }
  });
  command.append(button);
}

const directions = [...document.querySelectorAll(".direction")];
const search = document.getElementById("search");
if (search && directions.length > 6) {
  search.parentElement.hidden = false;
  search.addEventListener("input", () => {
    const wanted = search.value.trim().toLowerCase();
    let found = 0;
    for (const direction of directions) {
      const shown = direction.querySelector(".name").textContent.toLowerCase().includes(wanted);
      direction.hidden = !shown;
      found += shown;
    }
    document.getElementById("found").textContent = wanted && `${found} of ${directions.length} shown`;
  });
}

// A link to a direction opens it.
function reveal() {
  const target = location.hash && document.getElementById(location.hash.slice(1));
  const direction = target && target.closest(".direction");
  if (direction) {
    direction.hidden = false;
    direction.open = true;
    direction.querySelector("summary").focus();
    direction.scrollIntoView();
  }
}
addEventListener("hashchange", reveal);
reveal();

// On paper everything is open.
let closed = [];
addEventListener("beforeprint", () => {
  closed = directions.filter((direction) => !direction.open);
  closed.forEach((direction) => { direction.open = true; });
});
addEventListener("afterprint", () => closed.forEach((direction) => { direction.open = false; }));
