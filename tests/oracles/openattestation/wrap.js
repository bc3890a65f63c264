// Wraps documents (JSON, one a line, from a file) as OpenAttestation v2 does and prints how long parsing and wrapping took.
const fs = require("fs");
const { wrapDocuments, utils } = require("@govtechsg/open-attestation");

const lines = fs.readFileSync(process.argv[2], "utf8").split("\n").filter(Boolean);
// What its schema asks of every document, beside the document's own fields.
const issuers = [
  {
    name: "Chamber",
    documentStore: "0x9178F546D3FF57D7A6352bD61B80cCCD46199C2d",
    identityProof: { type: "DNS-TXT", location: "chamber.example.com" },
  },
];
const run = (some) => {
  const start = process.hrtime.bigint();
  const wrapped = wrapDocuments(some.map((line) => ({ ...JSON.parse(line), issuers })));
  return [Number(process.hrtime.bigint() - start) / 1e9, wrapped];
};
run(lines.slice(0, 200)); // warm
const [seconds, wrapped] = run(lines);
const fields = (node) =>
  node !== null && typeof node === "object" ? Object.values(node).reduce((sum, child) => sum + fields(child), 0) : 1;
console.log(JSON.stringify({ documents: wrapped.length, seconds, fields: fields(wrapped[0].data), version: wrapped[0].version }));
