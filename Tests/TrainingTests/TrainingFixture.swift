import DiptychData
import Foundation
import InContextEdit
import TensorCore
import TensorIO
import TestSupport
import Training

/// A small dataset of noise pictures and a configuration that trains on it in milliseconds a step.
struct TrainingFixture {
    let folder: URL

    init(pairs: Int = 5) throws {
        folder = try Fixtures.scratchFolder()
        let data = folder.appending(path: "pairs")
        try FileManager.default.createDirectory(at: data, withIntermediateDirectories: true)
        var random = Random(seed: 9)
        var records: [PairRecord] = []
        for index in 0..<pairs {
            for side in ["source", "target"] {
                let pixels = (0..<32 * 32 * 3).map { _ in UInt8(random.integer(below: 256)) }
                let image = Image(width: 32, height: 32, pixels: pixels)
                try image.write(to: data.appending(path: "\(side)\(index).png").path)
            }
            records.append(
                PairRecord(
                    source: "source\(index).png", target: "target\(index).png",
                    fields: PromptFields(instruction: "make number \(index) blue")))
        }
        try PairDataset.write(records, to: data)
    }

    func remove() { try? FileManager.default.removeItem(at: folder) }

    func configuration(_ run: String = "run", steps: Int = 6, _ change: (inout RunConfiguration) -> Void = { _ in })
        -> RunConfiguration
    {
        var configuration = RunConfiguration(
            basePath: Fixtures.path("tiny-random-fill"), dataPath: folder.appending(path: "pairs").path,
            outputFolder: folder.appending(path: run).path)
        configuration.base.precision = .float32
        configuration.data.panelWidth = 32
        configuration.data.panelHeight = 32
        configuration.data.maxSequenceLength = 16
        configuration.adapter.lora?.rank = 4
        configuration.adapter.moe = RunConfiguration.MoE()
        configuration.adapter.moe?.rank = 4
        configuration.training.steps = steps
        configuration.training.batchSize = 2
        configuration.training.accumulate = 2
        configuration.training.seed = 7
        configuration.output.checkpointEvery = 2
        configuration.output.keepCheckpoints = 2
        change(&configuration)
        return configuration
    }

    /// Trains and gives the losses that the metric log holds.
    @discardableResult
    func train(
        _ configuration: RunConfiguration, resuming checkpoint: String? = nil, acceptsChangedData: Bool = false
    ) throws -> [StepMetrics] {
        let session = try TrainingSession(
            configuration, resuming: checkpoint, acceptsChangedData: acceptsChangedData)
        _ = try session.run()
        return try MetricLog.read(session.folder.metricsPath(configuration.output.metrics))
    }
}
