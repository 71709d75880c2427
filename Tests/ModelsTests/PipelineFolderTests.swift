import Foundation
import Models
import TensorIO
import TestSupport
import Testing

/// A pipeline folder as it should be, and the errors of those that are not.
@Suite struct PipelineFolderTests {
    private static let whole = Fixtures.path("tiny-random-fill")

    /// Makes a folder with an index derived from the tiny pipeline's, and empty folders for `parts`.
    private func folder(
        _ parts: [PipelineFolder.Part] = [], index change: (inout [String: Any]) -> Void = { _ in },
        _ body: (String) throws -> Void
    ) throws {
        let folder = try Fixtures.scratchFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let index = try Data(contentsOf: URL(filePath: Self.whole + "/model_index.json"))
        var json = try #require(JSONSerialization.jsonObject(with: index) as? [String: Any])
        change(&json)
        try JSONSerialization.data(withJSONObject: json).write(to: folder.appending(path: "model_index.json"))
        for part in parts {
            try FileManager.default.createDirectory(
                at: folder.appending(path: part.rawValue), withIntermediateDirectories: false)
        }
        try body(folder.path)
    }

    private func fileError(_ body: () throws -> Void) -> FileError? { #expect(throws: FileError.self) { try body() } }

    @Test func tinyPipelineHasAllParts() throws {
        let pipeline = try PipelineFolder(path: Self.whole + "/", requiring: PipelineFolder.Part.allCases)
        #expect(pipeline.path == Self.whole)
        #expect(pipeline.pipelineClass == "FluxFillPipeline")
        #expect(pipeline.parts == PipelineFolder.Part.allCases)
        #expect(pipeline.classes[.tokenizer2] == "T5Tokenizer")
        let textEncoder = try pipeline.folder(of: .textEncoder2)
        #expect(textEncoder == Self.whole + "/text_encoder_2")
        let transformer = try pipeline.loadTransformer()
        #expect(transformer.configuration.inChannels == 384)
    }

    @Test func schedulerOfTheTinyPipeline() throws {
        let scheduler = try PipelineFolder(path: Self.whole).loadScheduler()
        var expected = SchedulerConfiguration()
        expected.shift = 3
        expected.useDynamicShifting = true
        #expect(scheduler == expected)
        let decoded = try JSONDecoder().decode(
            SchedulerConfiguration.self, from: JSONEncoder().encode(scheduler))
        #expect(decoded == scheduler)
    }

    @Test func oneErrorNamesAllMissingParts() throws {
        try folder([.transformer, .scheduler], index: { $0["text_encoder"] = [NSNull(), NSNull()] }) { path in
            let error = fileError { _ = try PipelineFolder(path: path, requiring: [.transformer, .vae, .textEncoder]) }
            #expect(error?.path == path)
            #expect(error?.expected == "the parts vae (AutoencoderKL), text_encoder (CLIPTextModel)")
            #expect(error?.found == "only transformer, scheduler")
            let pipeline = try PipelineFolder(path: path, requiring: [.transformer])
            #expect(pipeline.parts == [.transformer, .scheduler])
            #expect(fileError { _ = try pipeline.folder(of: .vae) }?.path == path + "/vae")
            #expect(fileError { _ = try pipeline.folder(of: .textEncoder) }?.key == "text_encoder")
        }
    }

    @Test func wrongClassesAreNamed() throws {
        try folder(index: { $0["transformer"] = ["diffusers", "SD3Transformer2DModel"] }) { path in
            let error = fileError { _ = try PipelineFolder(path: path) }
            #expect(error?.key == "transformer" && error?.expected == "FluxTransformer2DModel")
            #expect(error?.found.contains("SD3Transformer2DModel") == true)
        }
        try folder(index: { $0["_class_name"] = "StableDiffusionPipeline" }) { path in
            let error = fileError { _ = try PipelineFolder(path: path) }
            #expect(error?.key == "_class_name" && error?.expected.contains("FluxFillPipeline") == true)
        }
        try folder(index: { $0["vae"] = "AutoencoderKL" }) { path in
            #expect(fileError { _ = try PipelineFolder(path: path) }?.key == "vae")
        }
        try folder(index: { $0["vae"] = ["AutoencoderKL"] }) { path in
            #expect(fileError { _ = try PipelineFolder(path: path) }?.key == "vae")
        }
    }

    @Test func whatIsNoPipeline() throws {
        let part = fileError { _ = try PipelineFolder(path: Self.whole + "/transformer") }
        #expect(part?.found.contains("one part of a pipeline") == true)
        let nothing = fileError { _ = try PipelineFolder(path: "/nonexistent/pipeline") }
        #expect(nothing?.path == "/nonexistent/pipeline" && nothing?.found == "nothing there")
        let file = fileError { _ = try PipelineFolder(path: Self.whole + "/model_index.json") }
        #expect(file?.found == "a file")
        let foreign = fileError { _ = try PipelineFolder(path: Self.whole + "/tokenizer") }
        #expect(foreign?.found == "a folder without it")
    }

    @Test(arguments: [
        ("use_karras_sigmas", "true"), ("use_beta_sigmas", "true"), ("use_exponential_sigmas", "true"),
        ("invert_sigmas", "true"), ("stochastic_sampling", "true"), ("use_dynamic_shifting", "1"),
        ("time_shift_type", "\"linear\""), ("shift", "0"), ("shift", "\"3\""), ("max_image_seq_len", "256"),
        ("num_train_timesteps", "0"), ("shift_terminal", "1"), ("base_shift", "[]"),
        ("_class_name", "\"DDIMScheduler\""), ("use_lu_lambdas", "false"),
    ]) func schedulerFaultNamesItsKey(key: String, json: String) throws {
        let folder = try Fixtures.scratchFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appending(path: "scheduler_config.json").path
        try Data("{\"\(key)\": \(json)}".utf8).write(to: URL(filePath: path))
        let error = fileError { _ = try SchedulerConfiguration(path: path) }
        #expect(error?.path == path && error?.key == key, "\(error?.description ?? "")")
    }

    @Test func emptySchedulerHasTheDefaults() throws {
        let folder = try Fixtures.scratchFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appending(path: "scheduler_config.json").path
        try Data(#"{"shift_terminal": 0.02, "base_shift": null}"#.utf8).write(to: URL(filePath: path))
        var expected = SchedulerConfiguration()
        expected.shiftTerminal = 0.02
        let found = try SchedulerConfiguration(path: path)
        #expect(found == expected)
    }
}
