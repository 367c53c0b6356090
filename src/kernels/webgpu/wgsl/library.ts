/** Functions that shaders call by name. WGSL refuses constants that are not finite, so these come from memory. */
export const library: Readonly<Record<string, string>> = {
  infinity: [
    'var<private> infinity_bits: u32 = 0x7f800000u;',
    'fn infinity() -> f32 { return bitcast<f32>(infinity_bits); }',
  ].join('\n'),
  round_bf16_bits: `fn round_bf16_bits(word: u32) -> u32 {
  let near = (word + 0x7fffu + ((word >> 16u) & 1u)) & 0xffff0000u;
  return select(near, 0x7fc00000u, (word & 0x7fffffffu) > 0x7f800000u);
}`,
  round_bf16_bits4: `fn round_bf16_bits4(word: vec4<u32>) -> vec4<u32> {
  let near = (word + vec4<u32>(0x7fffu) + ((word >> vec4<u32>(16u)) & vec4<u32>(1u))) & vec4<u32>(0xffff0000u);
  return select(near, vec4<u32>(0x7fc00000u), (word & vec4<u32>(0x7fffffffu)) > vec4<u32>(0x7f800000u));
}`,
  from_bf16: `fn from_bf16(word: u32, which: u32) -> f32 {
  return bitcast<f32>(select(word << 16u, word & 0xffff0000u, which == 1u));
}`,
  from_bf16x4: `fn from_bf16x4(words: vec2<u32>) -> vec4<f32> {
  return bitcast<vec4<f32>>(vec4<u32>(words.x << 16u, words.x & 0xffff0000u, words.y << 16u, words.y & 0xffff0000u));
}`,
  to_bf16x2: `fn to_bf16x2(low: f32, high: f32) -> u32 {
  return (round_bf16_bits(bitcast<u32>(low)) >> 16u) | round_bf16_bits(bitcast<u32>(high));
}`,
  to_bf16x4: `fn to_bf16x4(x: vec4<f32>) -> vec2<u32> {
  let bits = round_bf16_bits4(bitcast<vec4<u32>>(x));
  return vec2<u32>((bits.x >> 16u) | bits.y, (bits.z >> 16u) | bits.w);
}`,
};
