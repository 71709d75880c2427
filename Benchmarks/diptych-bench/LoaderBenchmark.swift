import ArgumentParser
import DiptychData
import Foundation
import InContextEdit
import TensorCore
import TensorIO
import Training

/// `diptych-bench loader --config run.yaml`: batches as the trainer gets them, without encoders and without a model; the
/// cases of `peer_loader.py`.
struct LoaderBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "loader", abstract: "Times reading, decoding, resizing and packing of diptychs, or of a cache.")

    @Option(help: "A run's configuration: its data, workers and prefetch; data.cache reads from a cache.")
    var config: String

    @Option(name: .long, help: "Override a key of the configuration.")
    var set: [String] = []

    @Option(help: "Batches to take; the first eight are not counted.")
    var batches = 100

    @Option(help: "Diptychs in a batch.")
    var batch = 4

    func run() throws {
        let run = try RunConfiguration.load(config, overrides: self.set)
        let dataset = try run.openDataset()
        let shapes = PanelShapes(run.panelShapes, of: dataset)
        let draws = run.drawOptions
        let read: @Sendable (SampleDraw) throws -> [Tensor]
        if let folder = run.data.cache {
            let cache = try SampleCache(
                folder: folder, dataset, options: run.encoderOptions, key: run.cacheKey(dataset))
            read = { [read = cache.read] draw in
                let loaded = try read(draw)
                guard case .latents(let clean, let condition) = loaded.pictures, let text = loaded.text else {
                    return []
                }
                return [clean, condition, text.sequence, text.pooled]
            }
        } else {
            read = { draw in
                let shape = shapes[draw.index]
                let panels = try dataset.panels(at: draw.index, width: shape.panelWidth, height: shape.panelHeight)
                let diptych = Diptych(
                    source: panels.source, edited: panels.target, panelLayout: shape.panelLayout)
                return [diptych.canvas.tensor()]
            }
        }
        var order = EpochOrder(count: dataset.records.count, seed: 1)
        let records = dataset.records
        let samples = Prefetcher<Int, Result<[Tensor], any Error>>(
            threads: run.data.workers, ahead: run.data.prefetch, requests: { order.next() },
            make: { index in
                Result {
                    let panelLayout = shapes[index].panelLayout
                    return try read(
                        draws.draw(records[index], panelLayout: panelLayout, index: index, epoch: 0, position: index))
                }
            })
        var begin = ContinuousClock.now
        for number in 0..<batches + 8 {
            if number == 8 { begin = .now }
            let parts = try (0..<batch).map { _ in try samples.take().get() }
            for part in parts[0].indices {
                _ = Tensor.concatenated(parts.map { $0[part].unsqueezed(0) }, axis: 0)
            }
        }
        let seconds = begin.duration(to: .now) / .seconds(1)
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        let rate = Double(batches * batch) / seconds
        TimedRuns.printLine([
            ("source", run.data.cache == nil ? "\"pictures\"" : "\"cache\""), ("workers", "\(run.data.workers)"),
            ("diptychs_per_second", TimedRuns.figure(rate)), ("peak_rss_mb", "\(usage.ru_maxrss / 1024)"),
        ])
    }
}
