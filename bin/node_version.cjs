// Which Node Troupe needs. Written in what Node 15 reads already, as all of this folder is; this file is for `import` and
// `require` both.

/** Whether this Node can run it. */
exports.isNewEnough = Number(process.versions.node.split('.')[0]) >= 24;

exports.tooOld = `troupe needs Node 24 or newer; this is Node ${process.versions.node}. Install Node 24, try again.`;
