// What `require('troupe')` loads: the same as `import 'troupe'`, without its `await`, which `require` refuses.
const { isNewEnough, tooOld } = require('./node_version.cjs');

if (!isNewEnough) throw new Error(tooOld);
module.exports = require('../dist/index.js');
