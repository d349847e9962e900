// The picture: NiiVue with an image, the mask that is drawn, the mask of the result, and points of a centerline.
// Images come with their axes to the right, anterior and superior, so that NiiVue's order of voxels is that of the server.

import { runs, unrun } from "./drafts.js";
import { DRAG_MODE, MULTIPLANAR_TYPE, Niivue, NVImage, SHOW_RENDER } from "./vendor/niivue.min.js";

const TYPES = { all: 3, planes: 3, axial: 0, coronal: 1, sagittal: 2, "3d": 4 };

/** Voxels from which the 3D view is slow where no graphics card computes it. */
const MOST_WITHOUT_CARD = 500_000;

/** Steps that can be undone. */
const UNDO_STEPS = 100;

export class Viewer {
  constructor(canvas, { changed, moved, clicked }) {
    this.canvas = canvas;
    this.size = 0;
    this.tool = "look";
    this.brush = 3;
    this.factor = 1;
    this.points = [];
    this.pointMesh = null;
    this.isLoading = true;
    this.isLocked = false;
    this.niivue = new Niivue({
      backColor: [0.05, 0.05, 0.06, 1],
      crosshairColor: [0.35, 0.75, 1, 0.8],
      crosshairWidth: 0.25,
      crosshairWidthUnit: "mm",
      crosshairGap: 12,
      dragMode: DRAG_MODE.contrast,
      multiplanarShowRender: SHOW_RENDER.ALWAYS,
      multiplanarLayout: MULTIPLANAR_TYPE.GRID,
      isRadiologicalConvention: true,
      showAllOrientationMarkers: true,
      isNearestInterpolation: true,
      sagittalNoseLeft: true,
      dragAndDropEnabled: false,
      clipPlaneHotKey: "",
      cycleClipPlaneHotKey: "",
      viewModeHotKey: "",
      maxDrawUndoBitmaps: 4,
      meshThicknessOn2D: 3,
      show3Dcrosshair: true,
      isColorbar: false,
      loadingText: "Loading ...",
      logLevel: "warn",
    });
    this.changed = changed;
    this.niivue.onDrawingChanged = (action) => {
      if (!this.isLoading && action === "draw") this.remember();
    };
    this.niivue.onLocationChange = () => moved(this.voxel());
    this.clicked = clicked;
  }

  async start() {
    await this.niivue.attachToCanvas(this.canvas);
    this.niivue.setDrawColormap({
      R: [0, 255], G: [0, 70], B: [0, 60], A: [0, 255], I: [0, 1], labels: ["", "cord"],
    });
    let from = null;
    this.canvas.addEventListener("pointerdown", (event) => {
      from = event.button === 0 ? [event.clientX, event.clientY] : null;
    });
    this.canvas.addEventListener("pointerup", (event) => {
      if (from === null || this.tool !== "point" || this.isLocked || this.isLoading) return;
      const isClick = Math.hypot(event.clientX - from[0], event.clientY - from[1]) < 4;
      from = null;
      if (isClick && !this.isOnRender(event)) this.clicked(this.voxel(false));
    });
  }

  isOnRender(event) {
    const box = this.canvas.getBoundingClientRect();
    const scale = this.niivue.uiData.dpr ?? 1;
    return this.niivue.inRenderTile((event.clientX - box.x) * scale, (event.clientY - box.y) * scale) >= 0;
  }

  /** Let nothing be drawn until an image is loaded: a stroke must not be taken for one on the next image. */
  pause() {
    this.isLoading = true;
    this.niivue.setDrawingEnabled(false);
  }

  /**
   * Show an image, what is drawn, and the mask of the result: two NIfTI files and the voxels of a mask. Nothing is
   * shown, and false returned, if `prepare` says no.
   */
  async load(image, result, shape, mask, prepare) {
    const niivue = this.niivue;
    const volumes = await Promise.all([
      NVImage.loadFromUrl({ url: "image.nii", name: "image.nii", buffer: image.buffer }),
      NVImage.loadFromUrl({
        url: "result.nii", name: "result.nii", buffer: result.buffer, colormap: "green", opacity: 0, cal_min: 0.5, cal_max: 1,
      }),
    ]);
    // From here to the end nothing is waited for, so that image, drawing and points always belong together.
    if (!prepare(shape[0] * shape[1] * shape[2])) return false;
    if (niivue.drawBitmap) niivue.closeDrawing();
    this.clearPoints();
    this.shape = shape;
    this.size = shape[0] * shape[1] * shape[2];
    niivue.volumes = [];
    volumes.forEach((volume) => niivue.addVolume(volume));
    const { dimsRAS, permRAS } = niivue.volumes[0];
    const isSame = [1, 2, 3].every((axis) => permRAS[axis - 1] === axis && dimsRAS[axis] === shape[axis - 1]);
    if (!isSame) throw new Error("The viewer has turned the image. Nothing can be drawn on it; please report this.");
    niivue.createEmptyDrawing();
    niivue.drawBitmap.set(mask);
    niivue.drawAddUndoBitmap();
    niivue.refreshDrawing(true);
    this.history = [runs(mask)];
    this.undone = [];
    this.goTo(this.middle(mask));
    this.isLoading = false;
    this.use(this.tool);
    return true;
  }

  /** Return the middle of a mask, or of the image. */
  middle(mask) {
    const [nx, ny] = this.shape;
    let count = 0;
    const sum = [0, 0, 0];
    for (let n = 0; n < mask.length; n += 1) {
      if (!mask[n]) continue;
      count += 1;
      sum[0] += n % nx;
      sum[1] += Math.floor(n / nx) % ny;
      sum[2] += Math.floor(n / (nx * ny));
    }
    return count ? sum.map((value) => Math.round(value / count)) : this.shape.map((n) => Math.floor(n / 2));
  }

  mask() {
    return this.niivue.drawBitmap;
  }

  /** Keep what is drawn now as a step of the history. */
  remember() {
    this.history.push(runs(this.mask()));
    if (this.history.length > UNDO_STEPS) this.history.shift();
    this.undone = [];
    this.changed(this.history.at(-1));
  }

  put(mask) {
    this.niivue.drawBitmap.set(mask);
    this.niivue.drawAddUndoBitmap();
    this.niivue.refreshDrawing(true);
  }

  /** Put another mask in place of the one that is drawn, as one step that can be undone. */
  replace(mask) {
    this.put(mask);
    this.remember();
  }

  undo() {
    if (this.isLocked || this.history.length < 2) return;
    this.undone.push(this.history.pop());
    this.put(unrun(this.history.at(-1), this.size));
    this.changed(this.history.at(-1));
  }

  redo() {
    if (this.isLocked || !this.undone.length) return;
    this.history.push(this.undone.pop());
    this.put(unrun(this.history.at(-1), this.size));
    this.changed(this.history.at(-1));
  }

  /** Remove the mask from the axial slice of the cross-hair. */
  clearSlice() {
    const mask = this.mask().slice();
    const n = this.shape[0] * this.shape[1];
    const k = this.voxel()[2];
    mask.fill(0, k * n, (k + 1) * n);
    this.replace(mask);
  }

  /** Choose what the left button does: look, brush, erase, fill or point. */
  use(tool) {
    this.tool = tool;
    const draws = ["brush", "erase", "fill"].includes(tool) && !this.isLocked && !this.isLoading;
    this.niivue.setDrawingEnabled(draws);
    this.niivue.setPenValue(tool === "erase" ? 0 : 1, tool === "fill");
    this.niivue.opts.penSize = tool === "fill" ? 1 : this.brush;
    this.canvas.style.cursor = tool === "look" ? "default" : "crosshair";
  }

  lock(isLocked) {
    this.isLocked = isLocked;
    this.use(this.tool);
  }

  setBrush(size) {
    this.brush = size;
    this.use(this.tool);
  }

  setOpacity(drawing, result) {
    this.niivue.setDrawOpacity(drawing);
    if (this.niivue.volumes.length > 1) this.niivue.setOpacity(1, result);
  }

  setLayout(name) {
    this.niivue.opts.multiplanarShowRender = name === "planes" ? SHOW_RENDER.NEVER : SHOW_RENDER.ALWAYS;
    this.niivue.setSliceType(TYPES[name]);
  }

  /** Return whether the processor computes the picture, and the image is so large that the 3D view would be slow. */
  isSlow(size) {
    const { gl } = this.niivue;
    const names = gl.getExtension("WEBGL_debug_renderer_info");
    const renderer = names ? gl.getParameter(names.UNMASKED_RENDERER_WEBGL) : "";
    return size > MOST_WITHOUT_CARD && /swiftshader|llvmpipe|software/i.test(renderer);
  }

  /** Enlarge the planes around the cross-hair, which moves to their middle. */
  zoom(factor) {
    this.factor = factor;
    const mm = this.niivue.frac2mm(this.niivue.scene.crosshairPos);
    this.niivue.setPan2Dxyzmm([...[0, 1, 2].map((axis) => -factor * mm[axis] * (factor > 1)), factor]);
  }

  /** Return the factor by which a plane shows about 100 mm. */
  goodZoom() {
    const { matRAS } = this.niivue.volumes[0];
    const width = Math.min(this.shape[0] * matRAS[0], this.shape[1] * matRAS[5]);
    return Math.min(Math.max(Math.round(width / 100), 1), 6);
  }

  smoothPixels(isSmooth) {
    this.niivue.setInterpolation(!isSmooth);
  }

  /** Return the voxel of the cross-hair: the whole one, or the exact place in it. */
  voxel(isWhole = true) {
    if (!this.shape) return [0, 0, 0];
    const exact = [0, 1, 2].map((axis) => this.niivue.scene.crosshairPos[axis] * this.shape[axis] - 0.5);
    return isWhole ? exact.map((x, axis) => Math.min(Math.max(Math.round(x), 0), this.shape[axis] - 1)) : exact;
  }

  goTo(voxel) {
    this.niivue.scene.crosshairPos = voxel.map((x, axis) => (x + 0.5) / this.shape[axis]);
    if (this.factor > 1) this.zoom(this.factor);
    this.niivue.drawScene();
    this.niivue.createOnLocationChange();
  }

  clearPoints() {
    if (this.pointMesh) this.niivue.removeMesh(this.pointMesh);
    this.pointMesh = null;
  }

  /** Show the points of a centerline, in voxels. */
  showPoints(points) {
    this.clearPoints();
    if (!points.length) {
      this.niivue.drawScene();
      return;
    }
    const { matRAS } = this.niivue.volumes[0];
    const zooms = [matRAS[0], matRAS[5], matRAS[10]];
    const origin = [matRAS[3], matRAS[7], matRAS[11]];
    const nodes = points.map((point, n) => {
      const [x, y, z] = point.map((value, axis) => value * zooms[axis] + origin[axis]);
      return { name: "", x, y, z, colorValue: 1, sizeValue: 1, label: undefined, n };
    });
    const edges = points.slice(1).map((_, n) => ({ first: n, second: n + 1, colorValue: 1 }));
    this.pointMesh = this.niivue.loadConnectomeAsMesh({
      name: "points", nodeColormap: "warm", nodeColormapNegative: "winter", nodeMinColor: 0, nodeMaxColor: 1,
      nodeScale: 1.2, edgeColormap: "warm", edgeColormapNegative: "winter", edgeMin: 0, edgeMax: 1, edgeScale: 0.5,
      legendLineThickness: 0, showLegend: false, nodes, edges,
    });
    this.niivue.addMesh(this.pointMesh);
  }
}
