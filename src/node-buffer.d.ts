// Documented by their use all over Node, and left out of its types: copies between a string of bytes and a buffer, without the look-up of an encoding.
interface Buffer {
  latin1Slice(start?: number, end?: number): string;
  latin1Write(text: string, offset?: number, length?: number): number;
}
