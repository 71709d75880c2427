import Foundation
import Models
import NeuralNet
import TensorCore
import TensorIO
import TestSupport
import Testing

/// Model files that are not what they should be: one clear line each.
@Suite struct MalformedModelTests {
    private func fault(_ body: () throws -> Void, sourceLocation: SourceLocation = #_sourceLocation) -> String {
        do {
            try body()
            Issue.record("nothing was thrown", sourceLocation: sourceLocation)
            return ""
        } catch {
            let line = "\(error)"
            #expect(!line.contains("\n"), "an error is one line", sourceLocation: sourceLocation)
            return line
        }
    }

    private func refusal(
        of tensors: [(name: String, tensor: Tensor)], metadata: [String: String] = [:]
    ) throws -> String {
        try LayoutFiles.inScratchFolder { folder in
            let path = folder + "/model.safetensors"
            try SafetensorsFile.write(tensors, metadata: metadata, to: path)
            return fault { _ = try ModelFile.open(path, .transformer).loadTransformer() }
        }
    }

    private func tensor(_ name: String, _ shape: Shape) -> (name: String, tensor: Tensor) {
        (name, Tensor(zeros: shape, dtype: .bfloat16))
    }

    @Test func filesOfNoModel() throws {
        #expect(try refusal(of: [tensor("a", [1])]).contains("found 1 tensors of no model that is known"))
        #expect(try refusal(of: []).contains("found 0 tensors of no model"))
    }

    @Test func filesOfAnotherModel() throws {
        let t5 = tensor("encoder.block.0.layer.0.SelfAttention.q.weight", [2, 2])
        let line = try refusal(of: [t5])
        #expect(
            line.hasSuffix(
                "expected the tensors of a FLUX transformer, found a T5 text encoder with names as in transformers"),
            "\(line)")
        let two = ["a.", "b."].map { tensor($0 + "double_blocks.0.img_attn.qkv.weight", [2, 2]) }
        #expect(try refusal(of: two).contains("found several, at 'a.', 'b.'"))
    }

    @Test func proportionsThatCannotBeTold() throws {
        let block = tensor("double_blocks.0.img_attn.qkv.weight", [6, 2])
        #expect(
            try refusal(of: [block]).contains(
                "img_in.weight: expected a tensor that tells the model's proportions, found none"))
        let input = tensor("img_in.weight", [128, 64])
        let norm = tensor("double_blocks.0.img_attn.norm.query_norm.scale", [128])
        #expect(try refusal(of: [block, input, norm]).contains("final_layer.linear.weight: expected a tensor"))
        #expect(
            try refusal(of: [block, tensor("img_in.weight", [128]), norm]).contains(
                "img_in.weight: expected 2 axes, found [128]"))
        #expect(
            try refusal(of: [block, tensor("img_in.weight", [100, 64]), norm]).contains(
                "expected a divisor of the width, 100, found 128"))
    }

    /// Numbers in names and metadata ask for no memory.
    @Test func absurdNumbers() throws {
        let names = ["img_in.weight", "txt_in.weight", "vector_in.in_layer.weight", "final_layer.linear.weight"]
        var tensors = names.map { tensor($0, [128, 64]) }
        tensors.append(tensor("double_blocks.0.img_attn.norm.query_norm.scale", [128]))
        tensors.append(tensor("double_blocks.0.img_attn.qkv.weight", [6, 2]))
        for index in ["99999999", "99999999999999999999999", "9223372036854775807"] {
            let line = try refusal(of: tensors + [tensor("double_blocks.\(index).img_attn.qkv.bias", [6])])
            #expect(
                line.contains("num_layers: expected a whole number from 0 to 1024") || line.contains("missing"),
                "\(line)")
        }
        for (text, expected) in [
            ("{", "expected a JSON object"), (#"{"num_layers": -1}"#, "num_layers: expected a whole number"),
            (#"{"num_layer": 1}"#, "did you mean 'num_layers'?"),
        ] {
            #expect(try refusal(of: tensors, metadata: [ModelFile.configurationKey: text]).contains(expected))
        }
    }

    @Test func scalesThatAreNoNumbers() throws {
        try LayoutFiles.inScratchFolder { folder in
            let path = folder + "/scaled.safetensors"
            for (scale, found) in [(Tensor([1, 2] as [Float], [2]), "float32 [2]"), (Tensor(Float.nan), "float32 []")] {
                try SafetensorsFile.write([("a.weight", Tensor(zeros: [2])), ("a.scale_weight", scale)], to: path)
                let archive = try openTensorArchive(path)
                #expect(archive.names == ["a.weight"] && archive.info("a.scale_weight") == nil)
                let line = fault { _ = try archive.tensor("a.weight") }
                #expect(line.hasSuffix("a.scale_weight: expected one finite number, found \(found)"), "\(line)")
            }
            let half = Tensor([0.5] as [Float], [1])
            try SafetensorsFile.write(
                [("a.weight", Tensor([2, 4] as [Float], [2])), ("a.weight_scale", half)], to: path)
            #expect(try openTensorArchive(path).tensor("a.weight").floats == [1, 2])
        }
    }

    @Test func whatCannotBeQuantised() throws {
        let pipeline = Fixtures.path("tiny-random-fill")
        #expect(
            fault { _ = try ModelQuantizer(pipeline, type: "q4_x") }.contains("found 'q4_x' (did you mean 'q4_0'?)"))
        let other = fault { _ = try ModelQuantizer(pipeline + "/vae", type: "q8_0") }
        #expect(
            other.contains("expected a FLUX transformer or a T5 text encoder, found an image autoencoder"), "\(other)")
        #expect(fault { _ = try ModelQuantizer(pipeline + "/none", type: "q8_0") }.contains("nothing there"))
        try LayoutFiles.inScratchFolder { folder in
            let (path, output) = (folder + "/nan.safetensors", folder + "/out.gguf")
            try LayoutFiles.writeBlackForest(to: path) { tensors in
                let place = tensors.firstIndex { $0.name == "double_blocks.0.img_attn.qkv.weight" }!
                tensors[place].tensor = Tensor(full: tensors[place].tensor.shape, .nan, dtype: .bfloat16)
            }
            let line = fault { try ModelQuantizer(path, type: "q8_0").write(to: output) { _ in } }
            #expect(
                line.contains("double_blocks.0.img_attn.qkv.weight: expected finite numbers, found NaN or infinity"))
            #expect(!FileManager.default.fileExists(atPath: output))
        }
    }
}
