// SPDX-License-Identifier: Apache-2.0
// A frame on a photo, for pointer and keyboard. Calls back with pixels of the photo when it rests.
import { t } from './texts.js';

const SMALLEST = 0.06, STEP = 0.02, REST_MS = 250;
const within = (value, low, high) => Math.min(Math.max(value, low), high);

export class Crop {
  constructor(host, onChange) {
    this.host = host;
    this.onChange = onChange;
    this.image = new Image();
    this.frame = document.createElement('div');
    this.frame.className = 'frame';
    this.frame.tabIndex = 0;
    this.frame.setAttribute('role', 'group');
    for (const corner of ['nw', 'ne', 'sw', 'se']) {
      const handle = document.createElement('i');
      handle.className = corner;
      this.frame.append(handle);
    }
    host.append(this.image, this.frame);
    this.frame.addEventListener('keydown', event => this.key(event));
    host.addEventListener('pointerdown', event => this.begin(event));
    this.all();
  }

  show(url) {
    this.image.alt = t('photo');
    this.frame.setAttribute('aria-label', t('frame'));
    this.image.src = url;
    this.all();
    return this.image.decode();
  }

  all() { this.box = { x: 0, y: 0, w: 1, h: 1 }; this.draw(); }

  pixels() {
    const { x, y, w, h } = this.box, { naturalWidth: width, naturalHeight: height } = this.image;
    if (w > 0.99 && h > 0.99) return null;
    const left = Math.floor(x * width), top = Math.floor(y * height);
    return [left, top, Math.max(1, Math.min(width - left, Math.round(w * width))),
      Math.max(1, Math.min(height - top, Math.round(h * height)))];
  }

  draw() {
    for (const [name, value] of [['left', 'x'], ['top', 'y'], ['width', 'w'], ['height', 'h']])
      this.frame.style[name] = `${this.box[value] * 100}%`;
  }

  changed() {
    this.draw();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.onChange(), REST_MS);
  }

  at(event) {
    const area = this.host.getBoundingClientRect();
    return [within((event.clientX - area.left) / area.width, 0, 1),
      within((event.clientY - area.top) / area.height, 0, 1)];
  }

  begin(event) {
    const [startX, startY] = this.at(event), start = { ...this.box };
    const corner = event.target.closest('i')?.className;
    const whole = start.w > 0.99 && start.h > 0.99;
    const move = next => {
      const [x, y] = this.at(next);
      if (!corner && !whole && event.target === this.frame) {
        this.box.x = within(start.x + x - startX, 0, 1 - start.w);
        this.box.y = within(start.y + y - startY, 0, 1 - start.h);
      } else {
        // From the opposite corner, or a new frame from where the pointer went down.
        const fixedX = !corner ? startX : corner.includes('w') ? start.x + start.w : start.x;
        const fixedY = !corner ? startY : corner.includes('n') ? start.y + start.h : start.y;
        if (Math.abs(x - fixedX) < SMALLEST || Math.abs(y - fixedY) < SMALLEST) return;
        this.box = { x: Math.min(x, fixedX), y: Math.min(y, fixedY), w: Math.abs(x - fixedX), h: Math.abs(y - fixedY) };
      }
      this.changed();
    };
    this.host.setPointerCapture(event.pointerId);
    this.host.addEventListener('pointermove', move);
    const end = () => this.host.removeEventListener('pointermove', move);
    this.host.addEventListener('pointerup', end, { once: true });
    this.host.addEventListener('pointercancel', end, { once: true });
    event.preventDefault();
    this.frame.focus({ preventScroll: true });
  }

  key(event) {
    const directions = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const direction = directions[event.key];
    if (!direction) return;
    event.preventDefault();
    const [x, y] = direction.map(d => d * STEP), box = this.box;
    if (event.shiftKey) {
      box.w = within(box.w + x, SMALLEST, 1 - box.x);
      box.h = within(box.h + y, SMALLEST, 1 - box.y);
    } else {
      box.x = within(box.x + x, 0, 1 - box.w);
      box.y = within(box.y + y, 0, 1 - box.h);
    }
    this.changed();
  }
}
