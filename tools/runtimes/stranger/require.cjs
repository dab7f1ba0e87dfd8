// A CommonJS application, which some frameworks still make by default.
const assert = require('node:assert/strict');

for (const subpath of require('./subpaths.json')) {
  assert.ok(Object.keys(require(subpath)).length > 0, subpath);
}
