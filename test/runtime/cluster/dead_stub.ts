/** A node for tests that dies before it has entered. */
throw new TypeError('no native module for this machine');
