import Foundation
import TensorCore
import TensorIO
import TestSupport
import Testing

/// What `--json` prints: documents with stable keys, each of which `Documentation/JSON.md` names.
@Suite struct JSONOutputTests {
    private let base = Fixtures.path("tiny-random-fill")
    private let checkout = Fixtures.folder.deletingLastPathComponent().deletingLastPathComponent()

    private func object(_ arguments: [String]) throws -> [String: Any] {
        let result = try Program.run(arguments)
        #expect(result.status == 0, "\(result.error)")
        return try #require(JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
    }

    private func inspect(_ path: String) throws -> [String: Any] {
        let report = try object(["inspect", path, "--json"])
        let documentation = try String(
            contentsOf: checkout.appending(path: "Documentation/JSON.md"), encoding: .utf8)
        for key in report.keys { #expect(documentation.contains("`\(key)`"), "\(key)") }
        #expect(report["path"] as? String == path)
        return report
    }

    @Test func adaptersAndTheirHeaders() throws {
        let folder = try Fixtures.scratchFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appending(path: "a.safetensors").path
        let layer = "transformer.single_transformer_blocks.0.attn.to_q"
        try SafetensorsFile.write(
            [
                ("\(layer).lora_A.weight", Tensor(zeros: [4, 64])), ("\(layer).lora_B.weight", Tensor(zeros: [64, 4])),
            ], metadata: ["camelCase": "a\u{9B}2Jb"], to: path)
        let text = try Program.run(["inspect", path, "--json"]).output
        #expect(text.contains(#"a\u009b2Jb"#) && !text.unicodeScalars.contains { $0 == "\u{9B}" })
        let report = try inspect(path)
        #expect(report["kind"] as? String == "adapter")
        #expect(report["metadata"] as? [String: String] == ["camelCase": "a\u{9B}2Jb"])
        let adapter = try #require(report["adapter"] as? [String: Any])
        #expect(adapter["layout"] as? String == "diffusers" && adapter["ranks"] as? [String: Int] == ["4": 1])
        let tensors = try #require(report["tensors"] as? [String: Any])
        let list = try #require(tensors["list"] as? [[String: Any]])
        #expect(list.map { $0["name"] as? String } == ["\(layer).lora_A.weight", "\(layer).lora_B.weight"])
        #expect(list.map { $0["type"] as? String } == ["F32", "F32"])
        #expect(list.map { $0["shape"] as? [Int] } == [[4, 64], [64, 4]])
        let total = try #require(tensors["total"] as? [String: Any])
        #expect(total["count"] as? Int == 2 && total["numbers"] as? Int == 512)
        #expect(total["types"] as? [String: Int] == ["float32": 512])
    }

    @Test func modelsPipelinesPicturesAndDatasets() throws {
        let model = try inspect(base + "/transformer/diffusion_pytorch_model.safetensors")
        #expect(model["kind"] as? String == "safetensors")
        let models = try #require(model["models"] as? [[String: Any]])
        #expect(models.count == 1 && models[0]["part"] as? String == "transformer" && models[0]["fault"] == nil)
        #expect(model["missing"] as? [String] == ["--vae", "--clip", "--t5", "--base with the tokenizers"])
        let pipeline = try #require(inspect(base)["pipeline"] as? [String: Any])
        #expect(pipeline["pipeline_class"] as? String == "FluxFillPipeline")
        #expect((pipeline["parts"] as? [[String: Any]])?.count == 7)
        let image = try #require(inspect(Fixtures.path("source.png"))["image"] as? [String: Int])
        let picture = try Image(contentsOf: Fixtures.path("source.png"))
        #expect(image == ["width": picture.width, "height": picture.height])
        let pairs = try inspect(checkout.appending(path: "Datasets/photo-edits").path)
        #expect((pairs["dataset"] as? [String: Any])?["pairs"] as? Int ?? 0 > 0)
    }

    @Test func checksOfDatasets() throws {
        let folder = try Fixtures.scratchFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let pairs = folder.appending(path: "pairs").path
        #expect(try Program.run(["data", "scenes", "--count", "6", "--seed", "2", "-o", pairs]).status == 0)
        let good = try object(["data", "check", pairs, "--json"])
        let dataset = try #require((good["datasets"] as? [[String: Any]])?.first)
        #expect(dataset["path"] as? String == pairs && dataset["kind"] as? String == "dataset")
        #expect(dataset["pairs"] as? Int == 6 && dataset["bytes"] as? Int ?? 0 > 0 && dataset["masks"] == nil)
        #expect((dataset["tasks"] as? [String: Int])?.values.reduce(0, +) == 6)
        #expect(dataset["sizes"] as? [String: Int] == ["64x64": 6])
        #expect((dataset["notes"] as? [String])?.isEmpty == false && (good["faults"] as? [Any])?.isEmpty == true)

        let list = folder.appending(path: "metadata.jsonl").path
        try #"{"source": "a.png", "target": "b.png", "instruction": "x"}"#.write(
            toFile: list, atomically: true, encoding: .utf8)
        let bad = try Program.run(["data", "check", folder.path, "--json"])
        #expect(bad.status == 1 && bad.error.isEmpty, "\(bad.error)")
        let report = try #require(JSONSerialization.jsonObject(with: Data(bad.output.utf8)) as? [String: Any])
        let faults = try #require(report["faults"] as? [[String: String]])
        #expect(faults.map { $0["key"] } == ["line 1: source", "line 1: target"])
        #expect(faults.allSatisfy { $0["path"] == list && $0["expected"] == "a picture" })
    }

    @Test func configurations() throws {
        let path = checkout.appending(path: "Configs/demo.yaml").path
        let run = try object(["config", path, "--json", "--set", "training.steps=77", "--set", "adapter.moe=null"])
        #expect((run["training"] as? [String: Any])?["steps"] as? Int == 77)
        #expect((run["adapter"] as? [String: Any])?["moe"] is NSNull)
        #expect((run["output"] as? [String: Any])?["metrics"] as? String == "metrics.jsonl")
        let listed = try Program.run(["config", "--json"])
        let keys = try #require(JSONSerialization.jsonObject(with: Data(listed.output.utf8)) as? [[String: Any]])
        let steps = try #require(keys.first { $0["key"] as? String == "training.steps" })
        #expect(steps["type"] as? String == "integer, 1 or more" && steps["default_value"] as? String == "50000")
        #expect(steps["is_required"] as? Bool == false && steps["summary"] as? String == "Optimizer steps.")
        let folder = try #require(keys.first { $0["key"] as? String == "output.folder" })
        #expect(folder["is_required"] as? Bool == true && folder["default_value"] == nil)
    }

    @Test func plansOfMemory() throws {
        let edit = [
            "edit", "--base", base, "--image", Fixtures.path("source.png"), "--instruction", "make it blue",
            "--panel-width", "32", "--max-sequence-length", "8", "-o", "no-file.png",
        ]
        let plan = try object(edit + ["--dry-run", "--json", "--memory", "3GiB"])
        #expect(plan["budget_bytes"] as? Int == 3 << 30 && plan["streams_weights"] as? Bool == false)
        let phases = try #require(plan["phases"] as? [[String: Any]])
        #expect(phases.contains { $0["name"] as? String == "sampling" })
        #expect(phases.compactMap { $0["bytes"] as? Int }.max() == plan["peak_bytes"] as? Int)
        for phase in phases {
            let items = try #require(phase["items"] as? [[String: Any]])
            #expect(items.compactMap { $0["bytes"] as? Int }.reduce(0, +) == phase["bytes"] as? Int)
        }
        let alone = try Program.run(edit + ["--json"])
        #expect(alone.status == 2 && alone.error.hasPrefix("error: --json: expected it with --dry-run, found it alone"))
        let train = try object([
            "train", checkout.appending(path: "Configs/demo.yaml").path, "--dry-run", "--json", "--set",
            "base.path=\(base)", "--set", "data.path=\(checkout.appending(path: "Datasets/photo-edits").path)", "--set",
            "output.folder=\(FileManager.default.temporaryDirectory.path)/no-run",
        ])
        #expect(train["budget_bytes"] == nil && train["peak_bytes"] as? Int ?? 0 > 0)
    }
}
