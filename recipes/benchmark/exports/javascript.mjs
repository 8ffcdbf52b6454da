// Writes with transformers.js, which has no beam search, and counts the texts that are our greedy ones; see
// ../export_check.sh.  node javascript.mjs EXPORTS SENTENCES  (EXPORTS holds onnx, onnx-int8, ours.json and node_modules)
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const exports = resolve(process.argv[2]);
// Node looks for packages beside the script, not beside the models.
const found = createRequire(join(exports, "package.json")).resolve("@huggingface/transformers");
const { env, pipeline } = await import(pathToFileURL(found).href);
env.allowRemoteModels = false;
env.localModelPath = exports;

const ours = JSON.parse(readFileSync(join(exports, "ours.json"), "utf-8"));
for (const name of ["onnx", "onnx-int8"]) {
    const translator = await pipeline("translation", name);
    let [same, total] = [0, 0];
    for (const texts of Object.values(ours)) {
        const settings = { num_beams: 1, max_new_tokens: 201, forced_bos_token_id: texts.tag };
        for (const [place, text] of texts.source.slice(0, Number(process.argv[3])).entries()) {
            const [output] = await translator(text, settings);
            same += output.translation_text === texts.greedy[place];
            total += 1;
        }
    }
    console.log(`| transformers.js, ${name} | ${same} of ${total} |`);
}
