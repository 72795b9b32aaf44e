// Reading of the page's data: base64 text -> gzip -> a JSON document and its arrays (cosee/explorer/pack.py).

const KINDS = { u1: Uint8Array, u2: Uint16Array, i4: Int32Array, f4: Float32Array };

async function decompress(text) {
  const binary = atob(text.trim());
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

// The plotting library runs as a script of its own, as if the page had it in plain text.
async function loadLibrary(text) {
  const script = document.createElement("script");
  script.textContent = new TextDecoder().decode(await decompress(text));
  document.head.append(script);
  script.remove();
}

async function readPack(text) {
  const buffer = await decompress(text);
  const length = new DataView(buffer).getUint32(0, true);
  const start = 8 * Math.ceil((4 + length) / 8);
  const header = new TextDecoder().decode(new Uint8Array(buffer, 4, length));
  return withArrays(JSON.parse(header), buffer, start);
}

// The document with typed arrays in it. Lists hold values of one kind, so that the first tells whether to look further.
function withArrays(value, buffer, start) {
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) {
    const nested = value.length && value[0] !== null && typeof value[0] === "object" && !Array.isArray(value[0]);
    return nested ? value.map((each) => withArrays(each, buffer, start)) : value;
  }
  if ("$" in value) {
    const [offset, count, kind] = value.$;
    return new KINDS[kind](buffer, start + offset, count);
  }
  for (const name in value) value[name] = withArrays(value[name], buffer, start);
  return value;
}
