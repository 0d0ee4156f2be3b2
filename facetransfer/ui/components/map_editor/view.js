// What part of a map is seen: zoom to the pointer or to the face, and panning by Space, the middle button or
// two fingers. The stage scrolls, so that whoever knows none of this finds scrollbars.
window.faceView = (() => {
  const LEAST = 100, MOST = 800; // percent
  const NOTCH = 1.0018, ROOM = 1.2; // growth for each pixel of the wheel; how much more than the face is seen

  const within = zoom => Math.min(MOST, Math.max(LEAST, zoom));
  const distance = ([a, b]) => Math.hypot(a[0] - b[0], a[1] - b[1]) || 1;
  const between = ([a, b]) => [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];

  class MapView {
    constructor(map, tools) {
      Object.assign(this, {map, tools, stage: map.stage, zoom: LEAST, fingers: new Map(), grip: null});
      this.stage.addEventListener("wheel", e => this.wheel(e), {passive: false});
      this.stage.addEventListener("touchstart", e => this.touch(e), {passive: false});
      const taken = handler => event => { if (handler.call(this, event)) event.stopPropagation(); };
      this.stage.addEventListener("pointerdown", taken(this.down), true);
      this.stage.addEventListener("pointermove", taken(this.move), true);
      this.stage.addEventListener("pointerup", taken(this.up), true);
      this.stage.addEventListener("pointercancel", taken(this.up), true);
      this.stage.addEventListener("pointerleave", () => { if (tools.over === map) tools.over = null; });
    }
    touch(event) { // two fingers are ours: else the browser would zoom the page, or scroll it by them
      if (event.touches.length > 1 && event.cancelable) event.preventDefault();
    }
    shareAt([x, y]) { // of the map's width and height, under a point of the window
      const box = this.map.canvas.getBoundingClientRect();
      return [(x - box.left) / box.width, (y - box.top) / box.height];
    }
    get middle() {
      const box = this.stage.getBoundingClientRect();
      return [box.left + this.stage.clientWidth / 2, box.top + this.stage.clientHeight / 2];
    }
    get face() { // its middle, as shares of the map
      const box = this.map.faceBox();
      return box ? [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2] : [0.5, 0.5];
    }
    bring([x, y], [toX, toY]) { // scrolls so that this place of the map comes to this point of the window
      const box = this.map.canvas.getBoundingClientRect();
      this.stage.scrollLeft += box.left + x * box.width - toX;
      this.stage.scrollTop += box.top + y * box.height - toY;
    }
    show(zoom) {
      if (zoom === this.zoom) return;
      const ahead = this.zoom === LEAST ? this.face : this.shareAt(this.middle);
      const [share, to] = this.held ?? [ahead, this.middle];
      this.held = null;
      this.zoom = zoom;
      this.map.sheet.style.setProperty("--zoom", zoom / 100);
      this.bring(share, to);
    }
    zoomAt(zoom, point, share = this.shareAt(point)) {
      this.held = [share, point];
      this.tools.set({zoom: within(zoom)});
      this.held = null;
    }
    wheel(event) { // with Ctrl, which is also what a pinch on a touchpad sends
      if (!this.map.layer || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      const pixels = event.deltaMode ? event.deltaY * 30 : event.deltaY;
      this.zoomAt(this.zoom * NOTCH ** -pixels, [event.clientX, event.clientY]);
    }
    get fitting() { // the zoom at which the face fills the stage
      const box = this.map.faceBox(), sheet = this.map.canvas.getBoundingClientRect();
      if (!box || !sheet.width) return MOST;
      const wide = (box[2] - box[0]) * sheet.width, tall = (box[3] - box[1]) * sheet.height;
      const times = Math.min(this.stage.clientWidth / wide, this.stage.clientHeight / tall);
      return within(this.zoom / ROOM * times);
    }
    reveal([x, y]) { // scrolls no further than it must to have this place of the map in view
      const box = this.map.canvas.getBoundingClientRect(), stage = this.stage.getBoundingClientRect();
      const at = [box.left + x * box.width, box.top + y * box.height], edge = 24;
      const inside = (n, from, length) => Math.min(from + length - edge, Math.max(from + edge, n));
      const {clientWidth, clientHeight} = this.stage;
      this.bring([x, y], [inside(at[0], stage.left, clientWidth), inside(at[1], stage.top, clientHeight)]);
    }

    // The pointers. Each says whether the event was for the view; then the brush does not hear of it.
    down(event) {
      if (!this.map.layer) return false;
      const at = [event.clientX, event.clientY];
      if (event.pointerType === "touch") {
        this.fingers.set(event.pointerId, at);
        if (this.fingers.size > 1) { this.map.cancel(); this.pinch = this.gripped(); }
        return Boolean(this.pinch);
      }
      if (event.button !== 1 && !(event.button === 0 && this.tools.panning)) return false;
      event.preventDefault(); // the browser's own scrolling by the middle button
      this.stage.setPointerCapture(event.pointerId);
      this.grip = this.shareAt(at);
      this.stage.classList.add("gripped");
      return true;
    }
    gripped() { // where the first two fingers hold the map, and how far apart
      const two = [...this.fingers.values()].slice(0, 2);
      return {share: this.shareAt(between(two)), apart: distance(two), zoom: this.zoom};
    }
    move(event) {
      this.tools.over = this.map;
      const at = [event.clientX, event.clientY];
      if (this.grip) { this.bring(this.grip, at); return true; }
      if (!this.fingers.has(event.pointerId)) return false;
      this.fingers.set(event.pointerId, at);
      if (!this.pinch) return false;
      if (this.fingers.size < 2) return true;
      const two = [...this.fingers.values()].slice(0, 2);
      const zoom = within(this.pinch.zoom * distance(two) / this.pinch.apart);
      if (zoom === this.zoom) this.bring(this.pinch.share, between(two));
      else this.zoomAt(zoom, between(two), this.pinch.share);
      return true;
    }
    up(event) {
      const wasOurs = Boolean(this.grip || this.pinch);
      this.fingers.delete(event.pointerId);
      if (!this.fingers.size) this.pinch = null;
      this.grip = null;
      this.stage.classList.remove("gripped");
      return wasOurs;
    }
  }
  return {MapView, within};
})();
