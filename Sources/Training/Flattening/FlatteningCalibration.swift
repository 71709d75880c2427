public import Adapters
import Autograd
public import DiptychData
public import InContextEdit
import Models
public import TensorCore
import TensorIO

/// Runs of the transformer on samples of a dataset: those that a conversion learns from, and others that it is judged by.
public struct FlatteningCalibration {
    /// One run: a sample, a time and noise that its seed fixes.
    private struct Run {
        let sample: EncodedSample
        let noise: Tensor
        let time: Float
    }

    private let pipeline: EditPipeline
    private let geometry: DiptychGeometry
    private let guidance: Float
    private let precision: DType
    private let calibration: [Run]
    private let heldOut: [Run]

    /// Draws `count` samples to learn from and `heldOutCount` others, in the order of `seed`; times are spread evenly over
    /// the way from data to noise.
    ///
    /// Throws `FileError` when the dataset has too few pairs or a picture cannot be read.
    public init(
        _ encoder: SampleEncoder, pipeline: EditPipeline, count: Int, heldOutCount: Int, seed: UInt64, guidance: Float,
        precision: DType
    ) throws {
        let available = encoder.dataset.records.count
        guard available >= count + heldOutCount else {
            throw FileError(
                encoder.dataset.listPath,
                expected: "\(count + heldOutCount) pairs, \(count) to learn from and \(heldOutCount) to judge by",
                found: "\(available)")
        }
        var random = Random(seed: seed)
        let order = random.permutation(available)
        func runs(_ indices: ArraySlice<Int>) throws -> [Run] {
            try indices.enumerated().map { place, index in
                let sample = try encoder.sample(at: index)
                return Run(
                    sample: sample, noise: random.randn(sample.clean.shape),
                    time: (Float(place) + 0.5) / Float(indices.count))
            }
        }
        calibration = try runs(order[..<count])
        heldOut = try runs(order[count..<count + heldOutCount])
        self.pipeline = pipeline
        geometry = encoder.options.shapes[0]
        self.guidance = guidance
        self.precision = precision
    }

    /// How many runs there are to learn from, and to judge by.
    public var counts: (calibration: Int, heldOut: Int) { (calibration.count, heldOut.count) }

    /// Runs the model on the samples to learn from. Throws `FileError` when a velocity is not finite.
    public func calibrate(_ adapters: AdapterSet, progress: () -> Void) throws {
        for run in calibration {
            _ = try velocity(run, adapters)
            progress()
        }
    }

    /// The model's predictions for the samples to judge by. Throws `FileError` when one is not finite.
    public func predict(_ adapters: AdapterSet, progress: () -> Void) throws -> [Tensor] {
        try heldOut.map { run in
            defer { progress() }
            return try velocity(run, adapters)
        }
    }

    private func velocity(_ run: Run, _ adapters: AdapterSet) throws -> Tensor {
        let time = Tensor([run.time], [1])
        let (clean, noise) = (run.sample.clean.unsqueezed(0), run.noise.unsqueezed(0))
        let conditioning = pipeline.conditioning(
            source: run.sample.source.unsqueezed(0), text: run.sample.text.sequence.unsqueezed(0),
            pooled: run.sample.text.pooled.unsqueezed(0), guidance: guidance, geometry: geometry)
        func evaluate() -> Tensor {
            withoutGradients {
                pipeline.transformer.velocity(
                    FlowMatching.interpolate(clean, noise, time: time), time: time, conditioning, precision: precision
                ).value
            }
        }
        let velocity = evaluate()
        guard velocity.isFinite else {
            throw VelocityFault(pipeline, adapters: [adapters], precision: precision).error(
                when: ", time \(run.time)", evaluate)
        }
        return velocity
    }

    /// The norm of the difference of two lists of predictions over that of the second's difference from a third.
    public static func relativeError(_ guesses: [Tensor], _ truths: [Tensor], besides base: [Tensor]? = nil) -> Double {
        var (error, size) = (0.0, 0.0)
        for (place, truth) in truths.enumerated() {
            let truth = truth.contiguous()
            error += guesses[place].contiguous().squares(besides: truth).error
            size +=
                base.map { $0[place].contiguous().squares(besides: truth).error }
                ?? truth.squares(besides: truth).numbers
        }
        return size > 0 ? (error / size).squareRoot() : 0
    }
}
