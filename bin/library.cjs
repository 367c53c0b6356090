// What an application loads by `require`: the same as by `import`, without that file's `await`, which `require` refuses.
const { isNewEnough, tooOld } = require('./node_version.cjs');

if (!isNewEnough) throw new Error(tooOld);
module.exports = require('../dist/index.js');
