// What the map editor does to whole regions of a map: labels in, labels out. Nothing here knows the page.
window.faceRegions = (() => {
  function around(i, width, length) { // the pixels beside a pixel
    const beside = [];
    if (i % width) beside.push(i - 1);
    if ((i + 1) % width) beside.push(i + 1);
    if (i >= width) beside.push(i - width);
    if (i + width < length) beside.push(i + width);
    return beside;
  }

  function enclosed(points, width, height) { // every pixel whose middle lies inside the closed line
    const ys = points.map(p => p[1]), found = [];
    const top = Math.max(0, Math.floor(Math.min(...ys)));
    const bottom = Math.min(height, Math.ceil(Math.max(...ys)));
    for (let y = top; y < bottom; y++) {
      const crossings = crossed(points, y + 0.5);
      for (let n = 0; n + 1 < crossings.length; n += 2) {
        const right = Math.min(width, Math.ceil(crossings[n + 1] - 0.5));
        for (let x = Math.max(0, Math.ceil(crossings[n] - 0.5)); x < right; x++) found.push(y * width + x);
      }
    }
    return found;
  }
  function crossed(points, y) { // where the closed line crosses a row, from left to right
    return points.flatMap(([bx, by], n) => {
      const [ax, ay] = points.at(n - 1);
      return ay <= y === by <= y ? [] : [ax + (y - ay) / (by - ay) * (bx - ax)];
    }).sort((a, b) => a - b);
  }

  function grown(labels, width, label) { // the class one pixel larger on every side
    const out = labels.slice();
    labels.forEach((l, i) => {
      if (l === label) for (const j of around(i, width, labels.length)) out[j] = label;
    });
    return out;
  }
  function shrunk(labels, width, label) { // the class one pixel smaller on every side
    const edge = new Set();
    labels.forEach((l, i) => {
      if (l === label && around(i, width, labels.length).some(j => labels[j] !== label)) edge.add(i);
    });
    return vacated(labels, width, edge, label);
  }
  // Pixels that lose their class take the one beside them, from the rim inwards.
  function vacated(labels, width, gone, label) {
    const out = labels.slice();
    while (gone.size) {
      const taken = [];
      for (const i of gone) {
        const from = around(i, width, out.length).find(j => !gone.has(j) && out[j] !== label);
        if (from !== undefined) taken.push([i, out[from]]);
      }
      if (!taken.length) break;
      for (const [i, other] of taken) { out[i] = other; gone.delete(i); }
    }
    return out;
  }

  function middles(labels, width, count) { // each class's middle, null where it is absent
    const sums = Array.from({length: count}, () => [0, 0, 0]);
    labels.forEach((l, i) => {
      sums[l][0] += i % width;
      sums[l][1] += Math.floor(i / width);
      sums[l][2]++;
    });
    return sums.map(([x, y, n]) => n ? [x / n, y / n] : null);
  }
  const mean = places => [0, 1].map(n => places.reduce((sum, place) => sum + place[n], 0) / places.length);

  // The face's middle line: a point on it, and the way across it. Eyes and brows say where it is, but for the
  // part that is mirrored, where there is another pair; without a pair it is upright through its middle.
  function middleLine(labels, width, label, classes) {
    const all = middles(labels, width, classes.length);
    const pairs = classes.flatMap(({mirror, face}, i) =>
      face && i < mirror && all[i] && all[mirror] ? [[i, mirror]] : []);
    const others = pairs.filter(pair => !pair.includes(label)), used = others.length ? others : pairs;
    if (!used.length) {
      const face = all.filter((middle, i) => middle && classes[i].face);
      return {at: face.length ? mean(face) : [(width - 1) / 2, 0], across: [1, 0]};
    }
    const left = mean(used.map(([l]) => all[l])), right = mean(used.map(([, r]) => all[r]));
    const [x, y] = [left[0] - right[0], left[1] - right[1]], length = Math.hypot(x, y) || 1;
    return {at: mean([left, right]), across: [x / length, y / length]};
  }

  // The part on the other side becomes the mirror image of this one.
  function mirrored(labels, width, label, classes) {
    const {at, across} = middleLine(labels, width, label, classes), height = labels.length / width;
    const other = classes[label].mirror, out = labels.slice(), gone = new Set();
    for (let y = 0, i = 0; y < height; y++) for (let x = 0; x < width; x++, i++) {
      const twice = 2 * ((x - at[0]) * across[0] + (y - at[1]) * across[1]);
      const fromX = Math.round(x - twice * across[0]), fromY = Math.round(y - twice * across[1]);
      const within = fromX >= 0 && fromX < width && fromY >= 0 && fromY < height;
      if (within && labels[fromY * width + fromX] === label && labels[i] !== label) out[i] = other;
      else if (labels[i] === other && other !== label) gone.add(i);
    }
    return vacated(out, width, gone, other);
  }

  // Of every connected region of at least that many pixels: its class, and a pixel near its middle.
  function places(labels, width, smallest) {
    const seen = new Uint8Array(labels.length), found = [];
    for (let start = 0; start < labels.length; start++) {
      if (seen[start]) continue;
      const region = connected(labels, width, start, seen);
      if (region.length < smallest) continue;
      const [x, y] = mean(region.map(i => [i % width, Math.floor(i / width)]));
      const far = i => (i % width - x) ** 2 + (Math.floor(i / width) - y) ** 2;
      const nearest = region.reduce((best, i) => far(i) < far(best) ? i : best, start);
      found.push({label: labels[start], x: nearest % width + 0.5, y: Math.floor(nearest / width) + 0.5});
    }
    return found;
  }
  function connected(labels, width, start, seen) {
    const region = [start];
    seen[start] = 1;
    for (let n = 0; n < region.length; n++) for (const j of around(region[n], width, labels.length))
      if (!seen[j] && labels[j] === labels[start]) { seen[j] = 1; region.push(j); }
    return region;
  }

  // The box around the classes that `wanted` says, without the outermost hundredth on each side: [left, top,
  // right, bottom]; null without any.
  function extent(labels, width, wanted) {
    const height = labels.length / width, columns = new Uint32Array(width), rows = new Uint32Array(height);
    let count = 0;
    labels.forEach((l, i) => {
      if (!wanted[l]) return;
      columns[i % width]++;
      rows[Math.floor(i / width)]++;
      count++;
    });
    const reached = (sums, share) => { let sum = 0; return sums.findIndex(n => (sum += n) > share * count); };
    if (!count) return null;
    return [reached(columns, 0.01), reached(rows, 0.01), reached(columns, 0.99) + 1, reached(rows, 0.99) + 1];
  }

  return {enclosed, grown, shrunk, mirrored, places, extent};
})();
