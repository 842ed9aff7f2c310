import testing from './testing.js';

export const { Cluster } = testing;
export default testing;
