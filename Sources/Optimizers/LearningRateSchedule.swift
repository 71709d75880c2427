#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The learning rate of each step: a pure function of the step's number, so that a resumed run needs no memory of it.
///
/// During the first `warmupSteps` steps the rate rises evenly, from `peak / warmupSteps` at step 0 to `peak` at step
/// `warmupSteps - 1`; then it follows the shape, which ends at `peak * finalShare` at the last of `totalSteps` steps.
public struct LearningRateSchedule: Codable, Sendable, Equatable {
    /// The course after the warm-up.
    public enum Shape: String, Codable, Sendable, CaseIterable {
        /// The peak throughout.
        case constant
        /// A straight line.
        case linear
        /// Half a cosine wave (Loshchilov and Hutter 2017, arXiv 1608.03983, without restarts).
        case cosine
    }

    /// The course after the warm-up.
    public var shape: Shape
    /// The highest rate.
    public var peak: Double
    /// The number of rising steps.
    public var warmupSteps: Int
    /// The number of steps of the whole run; ``Shape/constant`` does not look at it.
    public var totalSteps: Int
    /// The last rate over the peak; ``Shape/constant`` does not look at it.
    public var finalShare: Double

    /// Collects the settings.
    public init(
        _ shape: Shape = .constant, peak: Double, warmupSteps: Int = 0, totalSteps: Int = 0, finalShare: Double = 0
    ) {
        precondition(peak >= 0 && warmupSteps >= 0 && totalSteps >= 0, "a learning rate of peak \(peak)")
        self.shape = shape
        self.peak = peak
        self.warmupSteps = warmupSteps
        self.totalSteps = totalSteps
        self.finalShare = finalShare
    }

    /// The rate of step `step`, counted from 0; after the last step its rate stays.
    public func callAsFunction(_ step: Int) -> Float {
        if step < warmupSteps { return Float(peak * Double(step + 1) / Double(warmupSteps)) }
        // The first falling step still has the peak; with a warm-up that was its last step.
        let first = max(warmupSteps - 1, 0)
        let span = max(totalSteps - 1 - first, 1)
        let progress = min(Double(step - first) / Double(span), 1)
        let share: Double
        switch shape {
        case .constant: return Float(peak)
        case .linear: share = 1 - progress
        case .cosine: share = (1 + cos(.pi * progress)) / 2
        }
        return Float(peak * (finalShare + (1 - finalShare) * share))
    }
}
