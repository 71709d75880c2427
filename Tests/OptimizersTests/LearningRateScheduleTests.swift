import Foundation
import Optimizers
import Testing

@Suite struct LearningRateScheduleTests {
    @Test func warmupRisesToThePeak() {
        for shape in LearningRateSchedule.Shape.allCases {
            let rate = LearningRateSchedule(shape, peak: 2, warmupSteps: 4, totalSteps: 12)
            #expect((0..<4).map { rate($0) } == [0.5, 1, 1.5, 2], "\(shape)")
        }
    }

    @Test func shapesFallToTheirEnd() {
        let constant = LearningRateSchedule(peak: 0.25)
        #expect(constant(0) == 0.25 && constant(1_000_000) == 0.25)

        let linear = LearningRateSchedule(.linear, peak: 1, totalSteps: 5)
        #expect((0..<7).map { linear($0) } == [1, 0.75, 0.5, 0.25, 0, 0, 0])

        let cosine = LearningRateSchedule(.cosine, peak: 1, warmupSteps: 1, totalSteps: 5, finalShare: 0.5)
        let expected: [Float] = [
            1, 0.75 + 0.25 * Float(0.5).squareRoot(), 0.75, 0.75 - 0.25 * Float(0.5).squareRoot(), 0.5, 0.5,
        ]
        for (step, value) in expected.enumerated() { #expect(abs(cosine(step) - value) < 1e-6, "step \(step)") }
    }

    @Test func neverRisesAfterTheWarmup() {
        for shape in LearningRateSchedule.Shape.allCases {
            let rate = LearningRateSchedule(shape, peak: 3e-4, warmupSteps: 7, totalSteps: 50, finalShare: 0.1)
            for step in 7..<60 {
                #expect(rate(step) <= rate(step - 1))
                #expect(rate(step) >= 3e-5 * 0.999)
            }
        }
    }

    @Test func survivesJSON() throws {
        let schedule = LearningRateSchedule(.cosine, peak: 1, warmupSteps: 10, totalSteps: 100, finalShare: 0.1)
        let data = try JSONEncoder().encode(schedule)
        #expect(try JSONDecoder().decode(LearningRateSchedule.self, from: data) == schedule)
    }
}
