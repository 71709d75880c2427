import Foundation
public import Optimizers
import TensorIO

/// What can be wrong with the sections that every run has.
extension RunSettings {
    /// Values of the loop that contradict each other.
    var loopContradictions: [(key: String, expected: String, found: String)] {
        var faults: [(key: String, expected: String, found: String)] = []
        func report(_ key: String, _ expected: String, _ found: String) { faults.append((key, expected, found)) }
        if optimizer.name == .adamw, optimizer.learningRate > 0.1 {
            report(
                "optimizer.learning_rate", "at most 0.1 with adamw, such as 1e-4 (1 is usual with prodigy)",
                numberText(optimizer.learningRate))
        }
        if schedule.warmupSteps >= training.steps, schedule.warmupSteps > 0 {
            report(
                "schedule.warmup_steps", "fewer steps than training.steps (\(training.steps))",
                "\(schedule.warmupSteps)")
        }
        if ["config.yaml", "checkpoints"].contains(output.metrics) {
            report("output.metrics", "another name than config.yaml and checkpoints, which a run needs", output.metrics)
        }
        return faults
    }

    /// Why the run's folder cannot be made.
    func outputFaults(source: String) -> [ConfigurationError.Fault] {
        var faults: [ConfigurationError.Fault] = []
        var path = output.folder
        while fileKind(of: path) == nil, path.contains("/"), path != "/" {
            path = (path as NSString).deletingLastPathComponent
        }
        if fileKind(of: path) == false {
            faults.append(
                .init(source, key: "output.folder", message: "expected a folder or a new name, found a file: \(path)"))
        } else if !path.isEmpty, fileKind(of: path) != nil, !FileManager.default.isWritableFile(atPath: path) {
            faults.append(
                .init(source, key: "output.folder", message: "expected a folder that can be written, found \(path)"))
        }
        return faults
    }
}

/// What the sections that every run has mean to its loop.
extension RunSettings {
    /// A fresh optimizer.
    public func makeOptimizer() -> any Optimizers.Optimizer {
        let o = optimizer
        switch o.name {
        case .adamw:
            return AdamW(
                AdamW.Options(beta1: o.betas[0], beta2: o.betas[1], epsilon: o.epsilon, weightDecay: o.weightDecay))
        case .prodigy:
            return Prodigy(
                Prodigy.Options(
                    beta1: o.betas[0], beta2: o.betas[1], epsilon: o.epsilon, weightDecay: o.weightDecay,
                    initialD: o.d0, dCoefficient: o.dCoef, usesBiasCorrection: o.biasCorrection,
                    safeguardsWarmup: o.safeguardWarmup))
        }
    }

    /// The learning rate of each step.
    public var learningRateSchedule: LearningRateSchedule {
        return LearningRateSchedule(
            schedule.name, peak: optimizer.learningRate, warmupSteps: schedule.warmupSteps, totalSteps: training.steps)
    }
}

/// `true` for a folder, `false` for anything else, `nil` for nothing.
func fileKind(of path: String) -> Bool? {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else { return nil }
    return isFolder.boolValue
}
