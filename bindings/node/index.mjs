import sluice from './index.js';

export const { Producer, Consumer, Admin, Kafka, SluiceError, DeliveryError, version, features } = sluice;
export default sluice;
