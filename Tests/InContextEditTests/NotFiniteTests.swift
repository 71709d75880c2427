import Adapters
import DiptychData
import Foundation
import InContextEdit
import Models
import TensorCore
import TensorIO
import TestSupport
import Testing

/// Numbers that are none end an edit with the name of the model or the adapter that first gave them.
@Suite struct NotFiniteTests {
    private let base = Fixtures.path("tiny-random-fill")
    private let folder: URL
    private let source: Image

    init() throws {
        folder = try Fixtures.scratchFolder()
        source = try Image(contentsOf: Fixtures.path("source.png")).crop(x: 0, y: 0, width: 32, height: 32)
    }

    private func path(_ name: String) -> String { folder.appending(path: name).path }

    /// A part's weights with the numbers of one tensor replaced by NaN, in a folder of its own.
    private func spoilt(_ part: String, _ tensor: String) throws -> String {
        let place = path(part)
        try FileManager.default.copyItem(atPath: "\(base)/\(part)", toPath: place)
        let name = try #require(
            try FileManager.default.contentsOfDirectory(atPath: place).first { $0.hasSuffix(".safetensors") })
        let file = try SafetensorsFile(path: "\(base)/\(part)/\(name)")
        #expect(file.names.contains(tensor), "\(part) has no \(tensor)")
        let tensors = try file.names.map { key in
            let old = try file.tensor(key)
            return (key, key == tensor ? Tensor(full: old.shape, .nan, dtype: old.dtype) : old)
        }
        try SafetensorsFile.write(tensors, metadata: file.metadata, to: "\(place)/\(name)")
        return place
    }

    private func fault(_ pipeline: EditPipeline, _ adapters: [AdapterSet] = []) -> FileError? {
        var options = Editor.Options()
        options.steps = 2
        options.maximumSequenceLength = 16
        options.panelWidth = 32
        return #expect(throws: FileError.self) {
            try Editor(pipeline, adapters: adapters).edit(source, PromptFields(instruction: "x"), options: options)
        }
    }

    @Test func eachModelIsNamed() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let cases: [(part: String, tensor: String, parts: (String) -> PipelineParts, found: String)] = [
            (
                "transformer", "single_transformer_blocks.0.proj_out.weight",
                { PipelineParts(folder: base, transformer: $0) },
                "NaN or infinity from a FLUX transformer in float32, step 1 of 2"
            ),
            (
                "text_encoder", "text_model.final_layer_norm.weight", { PipelineParts(folder: base, clip: $0) },
                "NaN or infinity from a CLIP text encoder in float32"
            ),
            (
                "text_encoder_2", "encoder.final_layer_norm.weight", { PipelineParts(folder: base, t5: $0) },
                "NaN or infinity from a T5 text encoder in float32"
            ),
        ]
        for (part, tensor, parts, found) in cases {
            let place = try spoilt(part, tensor)
            let error = fault(try EditPipeline(parts(place)))
            #expect(error?.path == place && error?.found == found, "\(error!)")
        }
        for tensor in ["encoder.conv_in.weight", "decoder.conv_in.weight"] {
            let place = try spoilt("vae", tensor)
            let pipeline = try EditPipeline(PipelineParts(folder: base, vae: place))
            let error = fault(pipeline)
            #expect(error?.path == place && error?.found == "NaN or infinity from an image autoencoder in float32")
            let what = tensor.hasPrefix("encoder") ? "latents of a picture" : "picture"
            #expect(error?.expected == "finite numbers for the \(what)", "\(error!)")
            try FileManager.default.removeItem(atPath: place)
        }
    }

    /// A LoRA of one layer, of which every number of B is `size`.
    private func adapter(_ name: String, _ size: Float, into pipeline: EditPipeline) throws -> AdapterSet {
        let layer = "transformer.proj_out"
        try SafetensorsFile.write(
            [
                ("\(layer).lora_A.weight", Tensor(full: [1, 96], size)),
                ("\(layer).lora_B.weight", Tensor(full: [64, 1], size)),
            ], to: path(name))
        return try AdapterSet(
            loading: SafetensorsFile(path: path(name)), into: pipeline.transformer,
            naming: .flux(pipeline.transformer.configuration), besideOthers: true)
    }

    @Test func theGuiltyAdapterIsNamed() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let pipeline = try EditPipeline(path: base)
        let mild = try adapter("mild.safetensors", 0.01, into: pipeline)
        let wild = try adapter("wild.safetensors", 1e25, into: pipeline)
        let error = fault(pipeline, [mild, wild])
        #expect(error?.path == path("wild.safetensors"), "\(error!)")
        #expect(
            error?.found
                == "NaN or infinity from the transformer with this adapter in float32, step 1 of 2, finite ones "
                + "without")
        #expect(mild.strength == 1 && wild.strength == 1)
        // Without it the edit is sound.
        wild.strength = 0
        var options = Editor.Options()
        (options.steps, options.maximumSequenceLength, options.panelWidth) = (1, 16, 32)
        #expect(
            try Editor(pipeline, adapters: [mild, wild]).edit(source, PromptFields(instruction: "x"), options: options)
                .canvas.isFinite)
        wild.remove()
        // An input that was spoilt before is the adapters' fault where the transformer computes with another.
        let (good, bad) = (Tensor(zeros: [2]), Tensor(full: [2], .nan))
        let found = VelocityFault(pipeline, adapters: [mild], precision: .bfloat16)
        let spoilt = found.error(when: ", step 2 of 2", fresh: { good }) { bad }
        #expect(spoilt.path == path("mild.safetensors") && spoilt.found.contains("in bfloat16, step 2 of 2"))
        for fresh in [{ bad }, nil] as [(() -> Tensor)?] {
            #expect(found.error(when: "", fresh: fresh) { bad }.path == "\(base)/transformer")
        }
        // Neither alone, both together.
        let both = try adapter("other.safetensors", 0.01, into: pipeline)
        let together = VelocityFault(pipeline, adapters: [mild, both], precision: .float32).error(when: "") {
            mild.strength != 0 && both.strength != 0 ? bad : good
        }
        #expect(together.path == path("mild.safetensors") + " and " + path("other.safetensors"))
        #expect(mild.strength == 1 && both.strength == 1)
    }

    @Test func encodersOfPairsSaySoToo() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let place = try spoilt("vae", "encoder.conv_in.weight")
        let encoders = try FrozenEncoders(PipelineParts(folder: base, vae: place))
        let error = #expect(throws: FileError.self) {
            try FillFramework().sourceLatents(Diptych(editing: source), encoders, drawing: nil)
        }
        #expect(error?.path == place)
    }
}
